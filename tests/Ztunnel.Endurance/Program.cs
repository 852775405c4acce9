using System.Runtime.InteropServices;
using Ztunnel.Endurance;
using Ztunnel.Testing.Namespaces;

SoakSettings settings;
try
{
    settings = SoakSettings.Parse(args);
}
catch (ArgumentException wrong)
{
    await Console.Error.WriteLineAsync($"Error: {wrong.Message}\n{SoakSettings.Usage}");
    return 2;
}

if (NamespaceSupport.MissingReason is { } missing)
{
    await Console.Error.WriteLineAsync($"Error: {missing}");
    return 2;
}

// Ends early and in order: what was measured until then is judged as if the time were over.
using var stopping = new CancellationTokenSource();
using PosixSignalRegistration term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
return await new SoakRun(settings).RunAsync(stopping.Token);

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stopping.Cancel();
}
