//! Words from outside made fit to print: one line, no control characters, no longer than there is room.

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

/// Breaks words into lines of at most `columns` characters; a longer word has a line of its own.
pub fn wrap(words: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut room = columns;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        let last = lines.len() - 1;
        if lines[last].is_empty() {
            lines[last].push_str(word);
        } else if length < room {
            lines[last].push(' ');
            lines[last].push_str(word);
            room -= 1;
        } else {
            lines.push(word.to_owned());
            room = columns;
        }
        room = room.saturating_sub(length);
    }
    lines
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
}
