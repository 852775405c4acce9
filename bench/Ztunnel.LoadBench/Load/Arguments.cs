using System.Globalization;
using System.Net;

namespace Ztunnel.LoadBench.Load;

/// <summary>`--name value` pairs of a command line; a name that nobody asked for is an error.</summary>
internal sealed class Arguments
{
    private readonly Dictionary<string, string> _values = [];
    private readonly HashSet<string> _used = [];

    public Arguments(ReadOnlySpan<string> arguments, params ReadOnlySpan<string> flags)
    {
        for (int index = 0; index < arguments.Length; index++)
        {
            string name = arguments[index];
            if (!name.StartsWith("--", StringComparison.Ordinal))
            {
                throw new UsageException($"`{name}`: expected an option as --name");
            }

            bool isFlag = flags.Contains(name);
            if (!isFlag && index + 1 == arguments.Length)
            {
                throw new UsageException($"{name}: expected a value");
            }

            _values[name] = isFlag ? "true" : arguments[++index];
        }
    }

    public bool Has(string name) => Find(name) is not null;

    public string? Find(string name)
    {
        _used.Add(name);
        return _values.GetValueOrDefault(name);
    }

    public string Text(string name, string? otherwise = null) => Find(name) ?? otherwise ?? throw new UsageException($"{name} is missing");

    public int Number(string name, int? otherwise = null) =>
        Find(name) is not { } text ? otherwise ?? throw new UsageException($"{name} is missing")
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
        : throw new UsageException($"{name} {text}: expected a number");

    public TimeSpan Seconds(string name) =>
        double.TryParse(Text(name), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) ? TimeSpan.FromSeconds(seconds)
        : throw new UsageException($"{name} {Text(name)}: expected seconds");

    public IPEndPoint EndPoint(string name) =>
        IPEndPoint.TryParse(Text(name), out IPEndPoint? endPoint) && endPoint.Port > 0 ? endPoint : throw new UsageException($"{name} {Text(name)}: expected ADDRESS:PORT");

    public string[] List(string name) => Find(name)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    public void RejectOthers()
    {
        if (_values.Keys.FirstOrDefault(name => !_used.Contains(name)) is { } unknown)
        {
            throw new UsageException($"{unknown}: no such option");
        }
    }
}

/// <summary>A command line that cannot be followed; the message names the option and what was expected.</summary>
internal sealed class UsageException(string message) : Exception(message);
