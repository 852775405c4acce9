namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>One mistake in the local file: where it is, in which field, and what was expected.</summary>
/// <remarks>Lines and columns count from 1; line 0 means the file as a whole. A field is written like <c>workloads[3].workloadIps[0]</c> and empty when none is meant.</remarks>
public sealed record FileProblem(int Line, int Column, string Field, string Text)
{
    public override string ToString() =>
        Line == 0 ? Text
        : Field.Length == 0 ? $"line {Line}, column {Column}: {Text}"
        : $"line {Line}, column {Column}: {Field}: {Text}";
}
