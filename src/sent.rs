//! The list of the mails that were sent lately, as it stands in its file: a first line that names the form, then for each
//! mail a line with its id and a checksum. It only ever grows at its end. Pure.
//!
//! The checksum is the CRC-32 of all ids so far: a changed digit shows in its line, a lost line in the next one. That the
//! end was cut off shows in nothing, for a list that has not grown so far yet looks the same.

use crate::queue::MailId;

/// The first line, which is begun with in one step. A list without it is of the first release, and has bare ids.
const FORM: &str = "petanotify sent 2\n";

/// What a list says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The mails, those on damaged lines included as far as they can be read: an id that never was does no harm.
    pub ids: Vec<MailId>,
    /// How many lines are damaged. One that a crash cut short is not: nothing had been promised yet.
    pub damaged: usize,
    /// What the next line builds on; `None` if none can be added behind these.
    pub end: Option<End>,
}

/// The end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End(u32);

impl End {
    /// The line for one more mail, behind which the list ends from then on.
    pub fn line(&mut self, id: &MailId) -> String {
        *self = self.behind(id);
        format!("{id} {:08x}\n", self.0)
    }

    fn behind(self, id: &MailId) -> End {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(id.to_string().as_bytes());
        End(hasher.finalize())
    }
}

/// The text of a list of these mails, and its end.
pub fn render(ids: &[MailId]) -> (String, End) {
    let mut end = End(0);
    let mut text = FORM.to_owned();
    text.extend(ids.iter().map(|id| end.line(id)));
    (text, end)
}

/// Reads a list.
pub fn parse(bytes: &[u8]) -> Sent {
    let text = String::from_utf8_lossy(bytes);
    let (in_form, lines) = match text.strip_prefix(FORM) {
        Some(lines) => (true, lines),
        None => (false, &*text),
    };
    let (lines, cut_short) = lines.rsplit_once('\n').unwrap_or(("", lines));
    let mut sent = Sent::default();
    let mut end = End(0);
    for line in lines.split_terminator('\n') {
        let (id, sum) = fields(line);
        let is_good = match (&id, sum) {
            (Some(id), Some(sum)) => {
                let expected = end.behind(id);
                // Its own word counts, so that those behind it are not called damaged as well.
                end = sum;
                in_form && expected == sum
            }
            _ => !in_form && (line.is_empty() || is_bare(line)),
        };
        sent.damaged += usize::from(!is_good);
        sent.ids.extend(id);
    }
    let (id, sum) = fields(cut_short);
    let is_good = match (&id, sum) {
        (Some(id), Some(sum)) => end.behind(id) == sum,
        _ if in_form => is_cut_short(cut_short),
        _ => cut_short.is_empty() || is_bare(cut_short),
    };
    sent.damaged += usize::from(!is_good);
    sent.ids.extend(id);
    if !in_form && sent.ids.is_empty() {
        sent.damaged = sent.damaged.max(1);
    }
    sent.end = (in_form && cut_short.is_empty() && sent.damaged == 0).then_some(end);
    sent
}

/// The mail and the checksum of a line.
fn fields(line: &str) -> (Option<MailId>, Option<End>) {
    let (id, sum) = line.split_once(' ').unwrap_or((line, ""));
    let number = u32::from_str_radix(sum, 16).ok();
    let number = number.filter(|number| format!("{number:08x}") == sum);
    (id.parse().ok(), number.map(End))
}

fn is_bare(line: &str) -> bool {
    line.parse::<MailId>().is_ok()
}

/// Whether a text is the beginning of a line, and not the whole.
fn is_cut_short(text: &str) -> bool {
    match text.split_once(' ') {
        None => is_bare(text) || MailId::is_cut_short(text),
        Some((id, sum)) => {
            is_bare(id) && sum.len() < 8 && sum.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ids() -> [MailId; 3] {
        ["8292be0cf85c", "0123456789ab", "ffffffffffff"].map(|id| id.parse().unwrap())
    }

    #[test]
    fn what_is_written_is_read_and_goes_on() {
        let ids = ids();
        let (mut text, mut end) = render(&ids[..2]);
        let read = parse(text.as_bytes());
        assert_eq!(read.ids, ids[..2]);
        assert_eq!((read.damaged, read.end), (0, Some(end)));
        text.push_str(&end.line(&ids[2]));
        assert_eq!(text, render(&ids).0);
        assert_eq!(
            text.lines().nth(1),
            Some("8292be0cf85c 5ec015f9"),
            "the sum that gzip has as well"
        );
    }

    #[test]
    fn a_crash_may_cut_the_last_line_short_and_nothing_else_is_forgiven() {
        let ids = ids();
        let text = render(&ids).0;
        let line = text.len() - render(&ids[..2]).0.len();
        for cut in 0..=line {
            let read = parse(&text.as_bytes()[..text.len() - cut]);
            // Without its newline, without a part of its sum, without a part of its id.
            let known = if cut <= "\n".len() + " 01234567".len() {
                3
            } else {
                2
            };
            assert_eq!((&read.ids[..], read.damaged), (&ids[..known], 0), "{cut}");
            assert_eq!(read.end.is_some(), cut == 0 || cut == line, "{cut}");
        }
        for damaged in ["", "petanotify", "petanotify sent 2"] {
            assert_eq!(parse(damaged.as_bytes()).damaged, 1, "{damaged:?}");
        }
    }

    #[test]
    fn any_changed_byte_and_any_lost_line_is_damage() {
        let ids = ids();
        let text = render(&ids).0;
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.clone().into_bytes();
                flipped[at] ^= 1 << bit;
                let read = parse(&flipped);
                assert_ne!(read.damaged, 0, "bit {bit} of byte {at}");
                assert_eq!(read.end, None);
                let known = ids.iter().filter(|id| read.ids.contains(id)).count();
                assert!(known >= 2, "one is lost at most: {read:?}");
            }
        }
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for lost in 0..lines.len() - 1 {
            let mut left = lines.clone();
            left.remove(lost);
            let read = parse(left.concat().as_bytes());
            assert_ne!(read.damaged, 0, "line {lost}");
        }
    }

    #[test]
    fn the_list_of_the_first_release_still_counts() {
        let bare = "\n8292be0cf85c\n\n0123456789ab\nffffffffffff";
        let read = parse(bare.as_bytes());
        assert_eq!(read.ids, ids());
        assert_eq!((read.damaged, read.end), (0, None), "to be written anew");
        for damaged in [
            "8292be0cf85x\n",
            "8292be0cf85c0\n",
            "\0\0\0",
            "8292BE0CF85C\n",
            "8292be0cf85c\n0123\n",
            "\n",
            "0",
        ] {
            assert_eq!(parse(damaged.as_bytes()).damaged, 1, "{damaged:?}");
        }
    }
}
