using System.Net;
using Ztunnel.Telemetry.Failures;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Telemetry.Tests.Logging;

namespace Ztunnel.Telemetry.Tests.Failures;

public sealed class FailureJournalTests
{
    private static readonly IPEndPoint Client = new(IPAddress.Parse("10.0.1.5"), 40000);
    private static readonly IPEndPoint Server = new(IPAddress.Parse("10.0.2.7"), 15008);

    [Fact]
    public void Add_MoreThanItHolds_KeepsTheLatest()
    {
        var journal = new FailureJournal();
        for (int i = 0; i < FailureJournal.Capacity + 10; i++)
            journal.Add(Failure($"reason_{i}"));

        IReadOnlyList<ConnectionFailure> latest = journal.Latest();

        Assert.Equal(FailureJournal.Capacity, latest.Count);
        Assert.Equal((FailureJournal.Capacity + 10, $"reason_{FailureJournal.Capacity + 9}", "reason_10"), (journal.Count, latest[0].Reason, latest[^1].Reason));
    }

    [Fact]
    public async Task Add_FromManyThreadsWhileRead_LosesNoSlot()
    {
        var journal = new FailureJournal();
        using var done = new CancellationTokenSource();
        Task reader = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
                Assert.All(journal.Latest(), static failure => Assert.Equal("r", failure.Reason));
        });

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < 1_000; i++)
                journal.Add(Failure("r"));
        })));
        await done.CancelAsync();
        await reader;

        Assert.Equal((4_000, FailureJournal.Capacity), (journal.Count, journal.Latest().Count));
    }

    [Fact]
    public async Task AccessLog_Failures_AreKeptEvenWhenNobodyLogsThem()
    {
        var journal = new FailureJournal();
        await using var log = new LogFixture(LogFormat.Plain, "off");
        var access = new AccessLog(log.Sink, log.Levels, journal, log.Clock);
        var labels = new TrafficLabels(Reporter.Source, WorkloadLabels.Unknown, null, WorkloadLabels.Unknown, null, ServiceLabels.Unknown, mutualTls: true);

        access.Complete(new AccessRecord { Labels = labels, Source = Client, Destination = Server });
        access.Complete(new AccessRecord { Labels = labels, Source = Client, Destination = Server, SourceWorkload = "client", Error = "http status: 503", Reason = "http_status", Attempts = 3 });
        access.Denied(new DenialRecord { Reporter = Reporter.Destination, Source = Client, Error = "no route", Reason = "no_route" });

        Assert.Equal("", await log.StopAsync());
        Assert.Equal(
            [
                new ConnectionFailure { Time = log.Clock.Now, Reporter = Reporter.Destination, Source = Client, Reason = "no_route", Error = "no route" },
                new ConnectionFailure { Time = log.Clock.Now, Reporter = Reporter.Source, Source = Client, Destination = Server, SourceWorkload = "client", Reason = "http_status", Error = "http status: 503", Attempts = 3 },
            ],
            journal.Latest());
    }

    [Fact]
    public void Gather_RepeatedFailures_AreOneGroupEach()
    {
        ConnectionFailure first = Failure("a") with { Time = DateTimeOffset.UnixEpoch };
        ConnectionFailure again = first with { Time = DateTimeOffset.UnixEpoch.AddSeconds(5), Source = new IPEndPoint(Client.Address, 40001), TraceId = 7 };

        Assert.Equal(
            [new FailureGroup(again, 2, DateTimeOffset.UnixEpoch), new FailureGroup(Failure("b"), 1, DateTimeOffset.UnixEpoch)],
            FailureGroup.Gather([again, Failure("b"), first]));
    }

    private static ConnectionFailure Failure(string reason) => new() { Time = DateTimeOffset.UnixEpoch, Reporter = Reporter.Source, Source = Client, Reason = reason, Error = "" };
}
