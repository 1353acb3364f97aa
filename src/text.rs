//! Words from outside made fit to print: one line, no control characters, no longer than there is room.

use unicode_width::UnicodeWidthStr as _;

/// Folds a text to one line without control characters, so that a server's words can't forge a log line or move the cursor.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for part in text.split(|c: char| c.is_control()).map(str::trim) {
        if part.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
    }
    line
}

/// Cuts a text to so many characters, with an ellipsis where something is missing.
pub fn fit(text: &str, columns: usize) -> String {
    let text = one_line(text);
    if text.chars().count() <= columns {
        return text;
    }
    let mut cut: String = text.chars().take(columns.saturating_sub(3)).collect();
    cut.push_str("...");
    cut
}

/// How many columns words take where all letters are equally wide: those of Chinese and Japanese take two.
pub fn columns(words: &str) -> usize {
    words.width()
}

/// The words with blanks after them up to so many columns.
pub fn pad(words: &str, width: usize) -> String {
    let blanks = width.saturating_sub(columns(words));
    format!("{words}{}", " ".repeat(blanks))
}

/// Breaks words into lines of at most `columns` columns; a longer word has a line of its own. Between the letters of Chinese
/// and Japanese a line may end as well.
pub fn wrap(words: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut room = columns;
    for word in words.split_whitespace() {
        for (place, piece) in pieces(word).into_iter().enumerate() {
            let length = self::columns(piece);
            let blank = usize::from(place == 0);
            let last = lines.len() - 1;
            if lines[last].is_empty() {
                lines[last].push_str(piece);
            } else if length + blank <= room {
                lines[last].extend((blank > 0).then_some(' '));
                lines[last].push_str(piece);
                room -= blank;
            } else {
                lines.push(piece.to_owned());
                room = columns;
            }
            room = room.saturating_sub(length);
        }
    }
    lines
}

/// A word, cut where a line may end within it.
fn pieces(word: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let letters = word.char_indices().zip(word.chars().skip(1));
    for ((at, one), next) in letters {
        let may_end = (is_ideographic(one) || is_ideographic(next))
            && !"（《「『【〔“‘([{".contains(one)
            && !"，。、；：？！）》」』】〕”’…,.;:?!)]}%".contains(next);
        if may_end {
            let end = at + one.len_utf8();
            pieces.push(&word[start..end]);
            start = end;
        }
    }
    pieces.push(&word[start..]);
    pieces
}

/// Letters and punctuation of scripts that know no blanks, by the blocks that Unicode keeps for them.
fn is_ideographic(c: char) -> bool {
    matches!(c,
        '\u{2e80}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}'
            | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_has_no_control_characters() {
        let cases = [
            ("plain", "plain"),
            ("two\nlines\r\n", "two lines"),
            ("  a \t b  ", "a b"),
            ("\u{1b}[31mred\u{7}", "[31mred"),
            ("\u{85}next", "next"),
            ("", ""),
        ];
        for (text, line) in cases {
            assert_eq!(one_line(text), line, "{text:?}");
        }
    }

    #[test]
    fn what_does_not_fit_ends_in_dots() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abc...");
        assert_eq!(fit("ä\nö", 3), "ä ö");
    }

    #[test]
    fn words_are_wrapped_between_words_only() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrap("a bb ccc", 8), ["a bb ccc"]);
        assert_eq!(wrap("abcdefgh i", 4), ["abcdefgh", "i"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn what_knows_no_blanks_is_wrapped_by_its_width() {
        for (words, lines) in [
            ("集群存储已用", &["集群", "存储", "已用"][..]),
            // No line begins with what ends a clause, or ends with what opens a bracket.
            ("集群，存储。", &["集", "群，", "存", "储。"]),
            ("存（a）储", &["存", "（a）", "储"]),
            ("a 集群 b", &["a 集", "群 b"]),
            ("node1集", &["node1", "集"]),
            ("узлы", &["узлы"]),
        ] {
            assert_eq!(wrap(words, 4), lines, "{words}");
        }
        assert_eq!(pad("存储", 5), "存储 ");
        assert_eq!(pad("abcdef", 5), "abcdef");
    }
}
