using System.ComponentModel;
using System.Diagnostics;

namespace Ztunnel.InPod.Redirection;

/// <summary>How a command ended.</summary>
internal sealed record NamespaceCommandResult(string CommandLine, int ExitCode, string Output, string Error)
{
    // What nsenter returns when it cannot execute the program.
    private const int NotFound = 127;

    public bool Succeeded => ExitCode == 0;

    public bool ProgramIsMissing => ExitCode == NotFound;
}

/// <summary>
/// Runs Debian's tools inside a pod's network namespace: `nsenter --net=PATH program …` as a child process. Our own threads never enter for this: a child has nothing that could stay behind.
/// </summary>
internal sealed class NamespaceCommand(string namespacePath, TimeSpan timeout)
{
    public string NamespacePath => namespacePath;

    /// <summary>Runs to the end whatever the exit code; throws <see cref="RedirectionException"/> when it cannot start or does not end in time.</summary>
    public async Task<NamespaceCommandResult> RunAsync(string program, IReadOnlyList<string> arguments, string? input, CancellationToken cancellation)
    {
        string commandLine = $"{program} {string.Join(' ', arguments)}".TrimEnd();
        using Process process = Start(program, arguments, commandLine);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(timeout);
        try
        {
            // Both pipes are read while the input is written: a tool that complains about every line must not block on its own complaints.
            Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
            Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
            await WriteInputAsync(process, input, limit.Token).ConfigureAwait(false);
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            return new NamespaceCommandResult(commandLine, process.ExitCode, await output.ConfigureAwait(false), await error.ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new RedirectionException($"{namespacePath}: `{commandLine}` did not end within {timeout.TotalSeconds:0.#} s");
        }
        finally
        {
            Stop(process);
        }
    }

    /// <summary>Runs a command that is expected to succeed; its complaint becomes the error.</summary>
    public async Task<string> RequireAsync(string program, IReadOnlyList<string> arguments, string? input, CancellationToken cancellation)
    {
        NamespaceCommandResult result = await RunAsync(program, arguments, input, cancellation).ConfigureAwait(false);
        return result.Succeeded ? result.Output : throw Failure(result);
    }

    public RedirectionException Failure(NamespaceCommandResult result)
    {
        string complaint = result.Error.Trim().Length > 0 ? result.Error.Trim() : result.Output.Trim();
        return new RedirectionException($"{namespacePath}: `{result.CommandLine}` ended with code {result.ExitCode}: {complaint.ReplaceLineEndings("; ")}");
    }

    private Process Start(string program, IReadOnlyList<string> arguments, string commandLine)
    {
        var start = new ProcessStartInfo("nsenter", [$"--net={namespacePath}", "--", program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            return Process.Start(start) ?? throw new RedirectionException($"{namespacePath}: `{commandLine}` could not be started");
        }
        catch (Win32Exception problem)
        {
            throw new RedirectionException($"{namespacePath}: `{commandLine}` could not be started through nsenter (package util-linux): {problem.Message}");
        }
    }

    private static async Task WriteInputAsync(Process process, string? input, CancellationToken cancellation)
    {
        try
        {
            await process.StandardInput.WriteAsync((input ?? "").AsMemory(), cancellation).ConfigureAwait(false);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The program ended without reading everything: its exit code and its complaint say why.
        }
    }

    private static void Stop(Process process)
    {
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
        }
    }
}
