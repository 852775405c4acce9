using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.OnDemand;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Control;

/// <summary>
/// Where the mesh comes from: the local file, xDS, or both. The file is loaded first and replaces everything; what xDS brings is merged on top, and the first state is complete when xDS has answered (control-path 1.2, 2.5).
/// </summary>
internal sealed class MeshSources : IAsyncDisposable
{
    private readonly MeshStore _mesh;
    private readonly LocalFileSource? _file;
    private readonly XdsClient? _xds;
    private readonly bool _onDemand;
    private bool _disposed;

    private MeshSources(MeshStore mesh, LocalFileSource? file, XdsClient? xds, bool onDemand)
    {
        _mesh = mesh;
        _file = file;
        _xds = xds;
        _onDemand = onDemand;
    }

    /// <summary>What the local file says; empty without one.</summary>
    public LocalMesh LocalFile => _file?.Current ?? LocalMesh.Empty;

    /// <summary>How the xDS client is doing; null without one.</summary>
    public XdsStatus? XdsStatus => _xds?.Status;

    /// <summary>Where the mesh comes from, in a few words, and whether that is answering.</summary>
    public (string Source, bool IsConnected) Describe() => (_xds, _file) switch
    {
        ({ } xds, null) => ("xDS", xds.Status.IsConnected),
        ({ } xds, _) => ("local file and xDS", xds.Status.IsConnected),
        (null, not null) => ("local file", true),
        _ => ("no source", false),
    };

    /// <summary>In on-demand mode: how the data path asks for an address that it has not got.</summary>
    public AddressFetcher? AddressFetcher => _onDemand && _xds is { } xds ? async (name, cancellation) => await xds.FetchAsync(name, cancellation) != OnDemandOutcome.Unknown : null;

    /// <summary>Loads the file. Nothing is connected yet.</summary>
    /// <exception cref="StartException">The file cannot be used; all its mistakes are in the message.</exception>
    public static MeshSources Open(ZtunnelSettings settings, MeshStore mesh, MetricRegistry metrics, TimeProvider time, ILoggerFactory loggers)
    {
        ControlPlaneSettings plane = settings.ControlPlane;
        LocalFileSource? file = plane is { LocalXdsPath: null, LocalXds: null } ? null : Load(plane, mesh, time, loggers);
        XdsClient? xds = null;
        if (plane.XdsAddress is { } address)
        {
            xds = new XdsClient(ControlPlaneAccess.Xds(settings, address), mesh, new XdsMetrics(metrics), time, loggers.CreateLogger("xds::client"));
            xds.Status.Register(metrics);
        }

        return new MeshSources(mesh, file, xds, plane.OnDemand);
    }

    /// <summary>Begins to follow the control plane. Without one the file's state is the first complete one.</summary>
    public void Start()
    {
        if (_xds is null)
            _mesh.MarkSynced();
        else
            _xds.Start();
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (_xds is not null)
            await _xds.DisposeAsync().ConfigureAwait(false);
        if (_file is not null)
            await _file.DisposeAsync().ConfigureAwait(false);
    }

    private static LocalFileSource Load(ControlPlaneSettings plane, MeshStore mesh, TimeProvider time, ILoggerFactory loggers)
    {
        var file = new LocalFileSource(new LocalFileSettings { Path = plane.LocalXdsPath, Text = plane.LocalXds }, mesh, time, loggers.CreateLogger("xds:local_client"));
        try
        {
            file.Start();
            return file;
        }
        catch (LocalFileException mistakes)
        {
            throw new StartException(mistakes.Message, mistakes);
        }
    }
}
