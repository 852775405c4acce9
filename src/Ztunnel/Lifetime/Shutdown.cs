using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;

namespace Ztunnel.Lifetime;

/// <summary>
/// When the process is asked to end: SIGTERM, SIGINT or the admin port. The first request begins the shutdown; a second signal ends the process at once with code 0 (control-path 1.6, W-25).
/// </summary>
public sealed class Shutdown : IDisposable
{
    private readonly TaskCompletionSource _requested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _insisted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ILogger _log;
    private readonly PosixSignalRegistration[] _registrations;

    public Shutdown(ILoggerFactory loggers)
    {
        _log = loggers.CreateLogger("signal::imp");
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => OnSignal(signal, "SIGTERM")),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => OnSignal(signal, "SIGINT")),
        ];
    }

    /// <summary>Completes with the first request.</summary>
    public Task Requested => _requested.Task;

    /// <summary>Completes when a signal came again.</summary>
    public Task Insisted => _insisted.Task;

    /// <summary>The admin port was asked to shut down.</summary>
    public void Request()
    {
        if (_requested.TrySetResult())
            DaemonLog.ShutdownRequested(_log);
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
    }

    private void OnSignal(PosixSignalContext context, string name)
    {
        context.Cancel = true;
        if (_requested.TrySetResult())
            DaemonLog.SignalReceived(_log, name);
        else if (_insisted.TrySetResult())
            DaemonLog.SecondSignal(_log, name);
    }
}
