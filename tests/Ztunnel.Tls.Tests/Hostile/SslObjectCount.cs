using System.Runtime.InteropServices;

namespace Ztunnel.Tls.Tests.Hostile;

/// <summary>
/// Counts the library's SSL objects that this thread made and that still exist, through the library's own notices (CRYPTO_get_ex_new_index): nothing in the product has to count for it.
/// </summary>
internal static class SslObjectCount
{
    private const int ClassOfSsl = 0;

    private delegate void NewNotice(nint parent, nint ptr, nint data, int index, nint argl, nint argp);

    private delegate void FreeNotice(nint parent, nint ptr, nint data, int index, nint argl, nint argp);

    private delegate int GetIndex(int ofClass, nint argl, nint argp, NewNotice made, nint duplicated, FreeNotice freed);

    private static readonly NewNotice Made = static (parent, _, _, _, _, _) => OnMade(parent);
    private static readonly FreeNotice Freed = static (parent, _, _, _, _, _) => OnFreed(parent);
    private static readonly Lock Guard = new();
    private static readonly HashSet<nint> Alive = [];

    [ThreadStatic]
    private static int Counting;

    static SslObjectCount()
    {
        nint library = NativeLibrary.Load("libcrypto.so.3");
        var register = Marshal.GetDelegateForFunctionPointer<GetIndex>(NativeLibrary.GetExport(library, "CRYPTO_get_ex_new_index"));
        Assert.True(register(ClassOfSsl, 0, 0, Made, 0, Freed) >= 0);
    }

    /// <summary>Runs the work and returns how many objects it made and how many of those are left.</summary>
    internal static (int Made, int Left) During(Action work)
    {
        Counting = 1;
        try
        {
            work();
            lock (Guard)
            {
                return (Counting - 1, Alive.Count);
            }
        }
        finally
        {
            Counting = 0;
            lock (Guard)
            {
                Alive.Clear();
            }
        }
    }

    private static void OnMade(nint ssl)
    {
        if (Counting == 0) return;
        Counting++;
        lock (Guard)
        {
            Alive.Add(ssl);
        }
    }

    private static void OnFreed(nint ssl)
    {
        lock (Guard)
        {
            Alive.Remove(ssl);
        }
    }
}
