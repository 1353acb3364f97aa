//! Strings out of a JSON document that lies in memory, without a copy of each. Pure.

use std::borrow::Cow;

use serde::Deserialize;

/// A string that is copied only where it holds escapes. serde makes a copy for each `Option<Cow<str>>`, and none for an
/// `Option<Text>`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_escapes_make_a_copy() {
        let texts: [Option<Text<'_>>; 2] =
            serde_json::from_str(r#"["plain","es\"caped"]"#).unwrap();
        let [
            Some(Text(Cow::Borrowed("plain"))),
            Some(Text(Cow::Owned(escaped))),
        ] = texts
        else {
            panic!("{texts:?}");
        };
        assert_eq!(escaped, "es\"caped");
    }
}
