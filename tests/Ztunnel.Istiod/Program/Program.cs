using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Istiod;
using Ztunnel.Istiod.Identity;
using Ztunnel.Istiod.Mesh;
using Ztunnel.Istiod.Program;
using Ztunnel.Istiod.Server;
using Ztunnel.Mesh.State;

IstiodArguments settings;
try
{
    settings = IstiodArguments.Parse(args);
}
catch (ArgumentException wrong)
{
    await Console.Error.WriteLineAsync($"Error: {wrong.Message}\n{IstiodArguments.Usage}");
    return 2;
}

StateFolder folder = new(settings.Folder);
TokenAuthority tokens = new(TimeProvider.System);
ServerCertificates certificates = new();
folder.WriteRoot(certificates.RootPem);

MeshStore mesh = new();
await using IstiodServer istiod = new() { Tokens = tokens };
HashSet<string> nodes = [];
mesh.Changed += change => Follow(change.Snapshot);
await using LocalFileSource file = new(new LocalFileSettings { Path = settings.MeshFile, PollInterval = TimeSpan.FromMilliseconds(100) }, mesh, TimeProvider.System, NullLogger.Instance);
try
{
    file.Start();
}
catch (LocalFileException mistakes)
{
    await Console.Error.WriteLineAsync($"Error: {mistakes.Message}");
    return 1;
}

Follow(mesh.Current);
await istiod.StartAsync(settings.Listen.Port, certificates, settings.Listen.Address);
istiod.Server.Certificate = certificates.Issue([.. settings.Names]);

TaskCompletionSource stopped = new();
using PosixSignalRegistration term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
Console.WriteLine($"ready: https://{settings.Listen}, roots and tokens in {settings.Folder}");

// Commands until the input ends; serving until somebody says stop.
ScriptCommands commands = new(istiod, RecycleTokens);
_ = Task.Run(() =>
{
    while (Console.ReadLine() is { } line) Console.WriteLine(commands.Run(line));
});
await stopped.Task;
return 0;

void Follow(MeshSnapshot snapshot)
{
    MeshResources resources = MeshResources.From(snapshot);
    folder.WriteTokens(tokens, resources.Nodes.Where(nodes.Add));
    istiod.Mesh = snapshot;
}

void RecycleTokens()
{
    tokens.Recycle();
    folder.WriteTokens(tokens, nodes);
}

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stopped.TrySetResult();
}
