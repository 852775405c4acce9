namespace Ztunnel.Mesh.Explaining;

/// <summary>One question that routing asked, and what the snapshot answered.</summary>
public sealed record RouteStep(string Question, string Answer);

/// <summary>Takes down what routing asks while it decides. Connections are routed without one, which costs them a comparison with null for each question.</summary>
internal sealed class RouteTrace
{
    // A service with thousands of unusable endpoints says the same thing thousands of times.
    private const int MaxSteps = 64;

    private readonly List<RouteStep> _steps = [];

    public IReadOnlyList<RouteStep> Steps => _steps;

    public void Add(string question, string answer)
    {
        if (_steps.Count < MaxSteps) _steps.Add(new RouteStep(question, answer));
    }
}
