//! HTML while it is being written: ours goes in as it is, words from anywhere else only escaped.

/// Lines of 76 characters and more would have to be encoded (RFC 2045, section 6.7), and the mail could not be read as it is.
const LINE: usize = 75;

/// HTML, all of it ASCII.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds tags of ours.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds words, whatever they are, as a reader shall see them. What is written from right to left is set apart, else it
    /// would turn around numbers and commas beside it (Unicode Standard Annex 9).
    pub(super) fn text(&mut self, words: &str) -> &mut Self {
        let mut rest = words;
        if !words.is_ascii() {
            while let Some((start, end)) = right_to_left(rest) {
                self.with_times(&rest[..start]).raw("<bdi>");
                self.escaped(&rest[start..end]).raw("</bdi>");
                rest = &rest[end..];
            }
        }
        self.with_times(rest)
    }

    /// Adds words; no line breaks within a time.
    fn with_times(&mut self, words: &str) -> &mut Self {
        let mut rest = words;
        while let Some((start, end)) = time_in(rest) {
            self.escaped(&rest[..start]).raw("<span class=n>");
            self.escaped(&rest[start..end]).raw("</span>");
            rest = &rest[end..];
        }
        self.escaped(rest)
    }

    /// Adds words where no tag may stand: in an attribute between quotes, or in the title.
    pub(super) fn escaped(&mut self, words: &str) -> &mut Self {
        for c in words.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                ' '..='~' => self.0.push(c),
                _ if turns_or_controls(c) => self.0.push('?'),
                _ => self.0.push_str(&format!("&#{};", u32::from(c))),
            }
        }
        self
    }

    /// All of it, in lines that need no encoding wherever a blank allows it.
    pub(super) fn into_lines(self) -> String {
        let mut html = self.0.into_bytes();
        let (mut line, mut blank) = (0, None);
        for place in 0..html.len() {
            match html[place] {
                b'\n' => (line, blank) = (place + 1, None),
                b' ' => blank = Some(place),
                _ => {}
            }
            if place - line.min(place) >= LINE
                && let Some(at) = blank.take()
            {
                html[at] = b'\n';
                line = at + 1;
            }
        }
        // Blanks became line ends, and both are ASCII.
        String::from_utf8(html).unwrap_or_default()
    }
}

/// How [`wording::time`](crate::wording::time) begins; `0` is any digit. The name of the time zone follows.
const TIME: &[u8; 17] = b"0000-00-00 00:00 ";

fn time_in(words: &str) -> Option<(usize, usize)> {
    let fits = |(byte, pattern): (&u8, &u8)| match pattern {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    let mut windows = words.as_bytes().windows(TIME.len());
    let start = windows.position(|window| window.iter().zip(TIME).all(fits))?;
    let zone = &words[start + TIME.len()..];
    let zone = zone.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-'));
    let zone = zone.map(str::len).next().unwrap_or(0);
    Some((start, start + TIME.len() + zone))
}

/// Controls, and what turns the direction of the text that follows or is not seen at all.
fn turns_or_controls(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The first run of words that are written from right to left, punctuation at its ends left out.
fn right_to_left(words: &str) -> Option<(usize, usize)> {
    let first = words.find(is_right_to_left)?;
    let start = words[..first].rfind(' ').map_or(0, |blank| blank + 1);
    let mut end = start;
    for word in words[start..].split_inclusive(' ') {
        if !word.contains(is_right_to_left) {
            break;
        }
        end += word.len();
    }
    let is_edge = |c: char| c.is_ascii_punctuation() || c == ' ';
    let run = &words[start..end];
    let skipped = run.len() - run.trim_start_matches(is_edge).len();
    let kept = run.trim_end_matches(is_edge).len();
    Some((start + skipped, start + kept))
}

/// Letters of the scripts that Unicode writes so (Bidi_Class R and AL), by the blocks that it keeps for them.
fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}'
            | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &str) -> String {
        let mut markup = Markup::default();
        markup.text(words);
        markup.0
    }

    #[test]
    fn words_stay_words() {
        for (words, html) in [
            ("node1", "node1"),
            ("<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;"),
            ("a\r\n\0\u{202e}b\u{2066}", "a????b?"),
            ("größe 💾", "gr&#246;&#223;e &#128190;"),
            ("存储", "&#23384;&#20648;"),
            (
                "since 2026-11-23 02:14 UTC",
                "since <span class=n>2026-11-23 02:14 UTC</span>",
            ),
        ] {
            assert_eq!(text(words), html, "{words:?}");
        }
    }

    #[test]
    fn what_is_written_from_right_to_left_is_set_apart() {
        let shin = "&#1513;";
        for (words, html) in [
            ("ש", format!("<bdi>{shin}</bdi>")),
            ("on ש1, 12 OSDs", format!("on <bdi>{shin}1</bdi>, 12 OSDs")),
            ("(ש ש) 3", format!("(<bdi>{shin} {shin}</bdi>) 3")),
            ("ש 1 ש", format!("<bdi>{shin}</bdi> 1 <bdi>{shin}</bdi>")),
            ("a-ש: 5", format!("<bdi>a-{shin}</bdi>: 5")),
        ] {
            assert_eq!(text(words), html, "{words:?}");
        }
    }

    #[test]
    fn lines_are_broken_at_blanks_and_nowhere_else() {
        let mut markup = Markup::default();
        markup.raw(&"abcd ".repeat(100)).raw(&"x".repeat(200));
        let html = markup.into_lines();
        assert!(html.lines().next_back().unwrap().len() >= 200);
        let broken: Vec<&str> = html.lines().collect();
        assert!(
            broken[..broken.len() - 1]
                .iter()
                .all(|line| line.len() < 76)
        );
        assert_eq!(
            html.replace('\n', " "),
            "abcd ".repeat(100) + &"x".repeat(200)
        );
    }
}
