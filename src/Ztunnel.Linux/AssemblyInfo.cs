using System.Runtime.CompilerServices;

// Every native signature here is blittable: calls need no marshalling stub, and the compiler proves it.
[assembly: DisableRuntimeMarshalling]
[assembly: InternalsVisibleTo("Ztunnel.Linux.Tests")]
[assembly: InternalsVisibleTo("Ztunnel.Fuzz.Tests")]
