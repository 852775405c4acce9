using System.Diagnostics;

namespace Ztunnel.LoadBench.Topology;

/// <summary>Runs programs to their end.</summary>
internal static class Command
{
    private static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(20);

    /// <summary>Standard output; a failure throws with what the program said.</summary>
    public static Task<string> RunAsync(string program, params string[] arguments) => RunAsync(DefaultLimit, program, arguments, CancellationToken.None);

    public static async Task<string> RunAsync(TimeSpan limit, string program, string[] arguments, CancellationToken cancellation)
    {
        CommandResult result = await TryRunAsync(limit, program, arguments, cancellation);
        return result.ExitCode == 0 ? result.Output
            : throw new BenchException($"`{program} {string.Join(' ', arguments)}` ended with {result.ExitCode}: {result.Error.Trim()} {result.Output.Trim()}");
    }

    public static async Task<CommandResult> TryRunAsync(TimeSpan limit, string program, string[] arguments, CancellationToken cancellation)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(limit);
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })
            ?? throw new BenchException($"`{program}` did not start");
        process.StandardInput.Close();
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(timeout.Token);
            Task<string> error = process.StandardError.ReadToEndAsync(timeout.Token);
            await process.WaitForExitAsync(timeout.Token);
            return new CommandResult(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancellation.ThrowIfCancellationRequested();
            throw new BenchException($"`{program} {string.Join(' ', arguments)}` did not end within {limit.TotalSeconds} s");
        }
    }
}

internal sealed record CommandResult(int ExitCode, string Output, string Error);

/// <summary>Something a measurement needs did not work; the message is for the person at the terminal.</summary>
internal sealed class BenchException(string message) : Exception(message);
