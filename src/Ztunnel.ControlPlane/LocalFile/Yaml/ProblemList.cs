namespace Ztunnel.ControlPlane.LocalFile.Yaml;

/// <summary>Collects mistakes, so that all are reported together.</summary>
internal sealed class ProblemList
{
    // A file of the wrong kind makes a mistake of every line: nobody reads more than this.
    private const int MaxProblems = 50;

    private readonly List<FileProblem> _problems = [];
    private int _omitted;

    public bool IsEmpty => _problems.Count == 0;

    public void Add(YamlPosition position, FieldPath path, string text)
    {
        if (_problems.Count == MaxProblems) _omitted++;
        else _problems.Add(new FileProblem(position.Line, position.Column, path.ToString(), text));
    }

    public IReadOnlyList<FileProblem> ToList() => _omitted == 0 ? _problems : [.. _problems, new FileProblem(0, 0, "", $"and {_omitted} more problems")];
}
