using Xunit;

namespace Ztunnel.Testing.Namespaces;

/// <summary>A test that makes network namespaces: needs root and iproute2, is skipped with the reason elsewhere.</summary>
public sealed class NamespaceFactAttribute : FactAttribute
{
    public NamespaceFactAttribute()
    {
        Skip = NamespaceSupport.MissingReason;
    }
}

/// <summary>The same for a theory.</summary>
public sealed class NamespaceTheoryAttribute : TheoryAttribute
{
    public NamespaceTheoryAttribute()
    {
        Skip = NamespaceSupport.MissingReason;
    }
}
