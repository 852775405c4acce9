namespace Ztunnel.ControlPlane.Grpc;

/// <summary>Where the token comes from that says who we are (AUTH_TOKEN). A file is read anew for each call, since it is rotated.</summary>
public sealed class BearerToken
{
    // A projected service account token is about 1 KiB.
    private const int MaxTokenBytes = 64 * 1024;

    private readonly string? _path;
    private readonly string? _literal;
    private readonly bool _optional;

    private BearerToken(string? path, string? literal, bool optional)
    {
        _path = path;
        _literal = literal;
        _optional = optional;
    }

    /// <summary>A setting as written: a JWT as it stands has no slash and two dots; everything else is a path.</summary>
    public static BearerToken Parse(string value) =>
        !value.Contains('/') && value.Count(static c => c == '.') == 2 && !File.Exists(value) ? FromText(value) : new BearerToken(value, null, optional: false);

    public static BearerToken FromText(string token) => new(null, token.TrimEnd(), optional: false);

    /// <summary>The default place of the token. Without a file there, calls carry no token.</summary>
    public static BearerToken FromDefaultFile(string path) => new(path, null, optional: true);

    /// <summary>The token to send now. Null: none.</summary>
    /// <exception cref="GrpcException">The file cannot be read or holds no token.</exception>
    internal async ValueTask<string?> ReadAsync(CancellationToken cancellation)
    {
        string? token = _literal;
        if (_path is not null)
        {
            try
            {
                if (new FileInfo(_path).Length is var length and > MaxTokenBytes) throw Bad($"holds {length} bytes");
                token = await File.ReadAllTextAsync(_path, cancellation);
            }
            catch (FileNotFoundException) when (_optional)
            {
                return null;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw Bad($"cannot be read: {error.Message}");
            }
        }

        // Editors and `kubectl create token > file` leave a newline, which no header may hold (control-path 12, W-13).
        token = token!.TrimEnd();
        if (token.Length == 0) throw Bad("is empty");
        if (!token.All(static c => c is > ' ' and <= '~')) throw Bad("holds characters that no token has");
        return token;
    }

    private GrpcException Bad(string what) => new(GrpcStatusCode.Unauthenticated, $"{(_path is null ? "the token given as text" : $"token file {_path}")} {what}");
}
