namespace Ztunnel.Testing.Processes;

/// <summary>How a command of a test ended.</summary>
public sealed record CommandResult(string CommandLine, int ExitCode, string Output, string Error)
{
    public bool Succeeded => ExitCode == 0;

    public CommandResult EnsureSucceeded() =>
        Succeeded ? this : throw new InvalidOperationException($"`{CommandLine}` ended with {ExitCode}: {Error.Trim()}{Output.Trim()}");
}

/// <summary>Runs a program to its end within ten seconds (or a time given) and takes its output.</summary>
public static class TestCommand
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    public static CommandResult Run(string program, params string[] arguments) => Run(Limit, program, arguments);

    public static CommandResult Run(TimeSpan limit, string program, params string[] arguments)
    {
        using TestProcess process = TestProcess.Start(program, arguments);
        process.CloseInput();
        return process.WaitForEnd(limit);
    }
}
