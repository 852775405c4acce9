using System.Text;

namespace Ztunnel.Architecture.Tests;

/// <summary>
/// Blanks out comments, characters and string contents of C# source, so that a rule about code does not trip over a sentence. Line breaks stay, hence line numbers too.
/// A block that holds nothing but a comment is told from an empty one: every comment leaves <see cref="CommentMark"/>.
/// </summary>
internal static class CodeText
{
    public const char CommentMark = '\u00b6';

    public static string WithoutCommentsAndTexts(string source)
    {
        var code = new StringBuilder(source.Length);
        int at = 0;
        while (at < source.Length)
        {
            int end = EndOfBlank(source, at);
            if (end == at)
            {
                code.Append(source[at++]);
                continue;
            }

            code.Append(source[at] == '/' ? CommentMark : '"');
            code.Append('\n', source.AsSpan(at, end - at).Count('\n'));
            at = end;
        }

        return code.ToString();
    }

    /// <summary>Where the comment or text that starts here ends; here itself when none starts.</summary>
    private static int EndOfBlank(string source, int at)
    {
        ReadOnlySpan<char> rest = source.AsSpan(at);
        if (rest.StartsWith("//"))
        {
            int lineEnd = rest.IndexOf('\n');
            return lineEnd < 0 ? source.Length : at + lineEnd;
        }

        if (rest.StartsWith("/*"))
        {
            return After(source, "*/", at + 2);
        }

        if (rest.StartsWith("\"\"\""))
        {
            int quotes = rest.IndexOfAnyExcept('"');
            return After(source, new string('"', quotes), at + quotes);
        }

        if (rest.StartsWith("@\"") || rest.StartsWith("$@\"") || rest.StartsWith("@$\""))
        {
            return EndOfVerbatim(source, at + rest.IndexOf('"') + 1);
        }

        return rest[0] is '"' or '\'' ? EndOfQuoted(source, at + 1, rest[0]) : at;
    }

    private static int After(string source, string mark, int from)
    {
        int found = source.IndexOf(mark, from, StringComparison.Ordinal);
        return found < 0 ? source.Length : found + mark.Length;
    }

    private static int EndOfVerbatim(string source, int at)
    {
        while (at < source.Length)
        {
            if (source[at] != '"')
            {
                at++;
            }
            else if (at + 1 < source.Length && source[at + 1] == '"')
            {
                at += 2;
            }
            else
            {
                return at + 1;
            }
        }

        return at;
    }

    private static int EndOfQuoted(string source, int at, char quote)
    {
        while (at < source.Length && source[at] != quote && source[at] != '\n')
        {
            at += source[at] == '\\' ? 2 : 1;
        }

        return Math.Min(at + 1, source.Length);
    }
}
