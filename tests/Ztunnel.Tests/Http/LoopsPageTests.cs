using System.Net;
using Microsoft.AspNetCore.Http;
using Ztunnel.Http;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Tests.Http;

public sealed class LoopsPageTests
{
    [Fact]
    public async Task Answer_TwoLoops_HasARowForEachAndTheirThreads()
    {
        using LoopGroup loops = LoopGroup.Start(2);
        var ran = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        loops.Loops[1].Post(_ => ran.SetResult(), null);
        await ran.Task.WaitAsync(TimeSpan.FromSeconds(10));
        var context = new DefaultHttpContext();
        using var body = new MemoryStream();
        context.Response.Body = body;

        await new LoopsPage(loops).AnswerAsync(context);

        Assert.Equal((int)HttpStatusCode.OK, context.Response.StatusCode);
        string[] lines = System.Text.Encoding.UTF8.GetString(body.ToArray()).Split('\n');
        Assert.StartsWith("loop ", lines[0], StringComparison.Ordinal);
        Assert.Equal(["0", "1"], lines[1..3].Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0]));
        // The columns of both tables stand under their names.
        Assert.Equal(lines[0].Split("  ", StringSplitOptions.RemoveEmptyEntries).Length, lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains(lines, static line => line.EndsWith(" ztunnel-0", StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.EndsWith(" ztunnel-1", StringComparison.Ordinal));
    }
}
