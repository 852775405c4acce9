using System.Globalization;
using System.Reflection;
using BenchmarkDotNet.Attributes;
using Ztunnel.Mesh.Routing;

namespace Ztunnel.Microbenchmarks.Brief;

/// <summary>One benchmark method with one choice of parameters, as BenchmarkDotNet's attributes describe it.</summary>
internal sealed class BriefCase
{
    private readonly Type _type;
    private readonly MethodInfo _method;
    private readonly (PropertyInfo Property, object Value)[] _parameters;

    private BriefCase(Type type, MethodInfo method, (PropertyInfo Property, object Value)[] parameters)
    {
        _type = type;
        _method = method;
        _parameters = parameters;
    }

    /// <summary>"Type.Method(Name=value)", as the baselines name it.</summary>
    public string Name => $"{_type.Name}.{_method.Name}({string.Join(", ", _parameters.Select(static pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Property.Name}={pair.Value}")))})";

    public static IEnumerable<BriefCase> FindAll() =>
        from type in typeof(BriefCase).Assembly.GetTypes().OrderBy(static type => type.Name, StringComparer.Ordinal)
        from method in type.GetMethods().Where(static method => method.IsDefined(typeof(BenchmarkAttribute)))
        from parameters in Combine([.. type.GetProperties().Where(static property => property.IsDefined(typeof(ParamsAttribute)))])
        select new BriefCase(type, method, parameters);

    /// <summary>Sets the benchmark up, lets it be measured and cleans up.</summary>
    public async Task<T> RunAsync<T>(Func<Action, T> measure)
    {
        object benchmark = Activator.CreateInstance(_type)!;
        foreach ((PropertyInfo property, object value) in _parameters)
        {
            property.SetValue(benchmark, value);
        }

        await CallAsync<GlobalSetupAttribute>(benchmark);
        try
        {
            return measure(Bind(benchmark));
        }
        finally
        {
            await CallAsync<GlobalCleanupAttribute>(benchmark);
        }
    }

    private static IEnumerable<(PropertyInfo Property, object Value)[]> Combine(PropertyInfo[] properties)
    {
        IEnumerable<(PropertyInfo Property, object Value)[]> all = [[]];
        foreach (PropertyInfo property in properties)
        {
            object?[] values = property.GetCustomAttribute<ParamsAttribute>()!.Values;
            all = [.. from chosen in all from value in values select ((PropertyInfo, object)[])[.. chosen, (property, value!)]];
        }

        return all;
    }

    // A delegate for each return type: a call through reflection would allocate more than what is measured.
    private Action Bind(object benchmark)
    {
        if (_method.ReturnType == typeof(void))
        {
            return _method.CreateDelegate<Action>(benchmark);
        }

        return _method.ReturnType == typeof(int) ? Discard(_method.CreateDelegate<Func<int>>(benchmark))
            : _method.ReturnType == typeof(long) ? Discard(_method.CreateDelegate<Func<long>>(benchmark))
            : _method.ReturnType == typeof(bool) ? Discard(_method.CreateDelegate<Func<bool>>(benchmark))
            : _method.ReturnType == typeof(RouteKind) ? Discard(_method.CreateDelegate<Func<RouteKind>>(benchmark))
            : !_method.ReturnType.IsValueType ? Discard(_method.CreateDelegate<Func<object>>(benchmark))
            : throw new NotSupportedException($"{Name} returns {_method.ReturnType.Name}: add it here");
    }

    private static Action Discard<T>(Func<T> function) => () => _ = function();

    private async Task CallAsync<TAttribute>(object benchmark)
        where TAttribute : Attribute
    {
        foreach (MethodInfo method in _type.GetMethods().Where(static method => method.IsDefined(typeof(TAttribute))))
        {
            if (method.Invoke(benchmark, null) is Task task)
            {
                await task;
            }
        }
    }
}
