namespace Ztunnel.Architecture.Tests;

public sealed class CodeTextTests
{
    [Theory]
    [InlineData("a = 1; // Thread.Sleep\nb", "a = 1; \u00b6\nb")]
    [InlineData("a /* x\ny */ b", "a \u00b6\n b")]
    [InlineData("Say(\"unsafe \\\" still\");", "Say(\");")]
    [InlineData("Say(@\"c:\\\", 'x', '\"');", "Say(\", \", \");")]
    [InlineData("Say(\"\"\"one \" two\"\"\");", "Say(\");")]
    [InlineData("catch (E) { /* why */ }", "catch (E) { \u00b6 }")]
    public void WithoutCommentsAndTexts_Source_KeepsCodeOnly(string source, string expected)
    {
        Assert.Equal(expected, CodeText.WithoutCommentsAndTexts(source));
    }
}
