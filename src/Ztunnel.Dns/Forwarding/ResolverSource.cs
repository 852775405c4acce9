namespace Ztunnel.Dns.Forwarding;

/// <summary>The resolver's configuration of now. Loops read it with each query they forward; whoever follows the file publishes.</summary>
public sealed class ResolverSource(ResolverConfiguration first)
{
    private volatile ResolverConfiguration _current = first;

    public ResolverConfiguration Current => _current;

    public void Publish(ResolverConfiguration configuration) => _current = configuration;
}
