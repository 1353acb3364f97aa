//! How things that are down are written in the state file: those of which the same is known are one entry. Pure.
//!
//! When 3,000 OSDs fail, hosts fail: then the file has one entry for each host and minute. It stays short enough to be read
//! by people, and to be loaded and saved in every pass.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Things of which the same is known.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group<K, V> {
    which: Vec<K>,
    known: V,
}

/// Writes things with what is known of each; groups are in the order of their first things.
///
/// # Errors
/// The serializer's.
pub fn write<K, V, S>(
    things: impl IntoIterator<Item = (K, V)>,
    serializer: S,
) -> Result<S::Ok, S::Error>
where
    K: Serialize,
    V: Serialize + Hash + Eq + Copy,
    S: Serializer,
{
    let mut groups: Vec<Group<K, V>> = Vec::new();
    let mut places: HashMap<V, usize> = HashMap::new();
    for (thing, known) in things {
        // Hosts fail, and their OSDs stand side by side: mostly a look at the one before is enough.
        if let Some(last) = groups.last_mut()
            && last.known == known
        {
            last.which.push(thing);
            continue;
        }
        let place = *places.entry(known).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.which.push(thing),
            None => groups.push(Group {
                which: vec![thing],
                known,
            }),
        }
    }
    serializer.collect_seq(groups)
}

/// Reads what [`write`] has written.
///
/// # Errors
/// The deserializer's.
pub fn read<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de> + Clone,
    D: Deserializer<'de>,
{
    let groups = Vec::<Group<K, V>>::deserialize(deserializer)?;
    let things = groups.into_iter().flat_map(|Group { which, known }| {
        which.into_iter().map(move |thing| (thing, known.clone()))
    });
    Ok(things.collect())
}

/// For a map from things to what is known of them.
pub mod map {
    use super::*;

    /// Writes it.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<K, V, S>(things: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize + Hash + Eq,
        S: Serializer,
    {
        write(things, serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de> + Clone,
        D: Deserializer<'de>,
    {
        read(deserializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Down(#[serde(with = "map")] BTreeMap<i64, String>);

    fn down(things: &[(i64, &str)]) -> Down {
        let things = things.iter();
        Down(
            things
                .map(|(thing, known)| (*thing, (*known).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn what_is_known_alike_is_one_entry_in_the_order_of_its_first_thing() {
        for (things, text) in [
            (down(&[]), "[]"),
            (down(&[(4, "a")]), r#"[{"which":[4],"known":"a"}]"#),
            (
                down(&[(1, "b"), (2, "a"), (3, "b"), (10, "a")]),
                r#"[{"which":[1,3],"known":"b"},{"which":[2,10],"known":"a"}]"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&things).unwrap(), text);
            assert_eq!(serde_json::from_str::<Down>(text).unwrap(), things);
        }
    }

    #[test]
    fn what_is_no_such_list_is_refused() {
        for text in [
            "{}",
            r#"[{"which":[1]}]"#,
            r#"[{"which":1,"known":"a"}]"#,
            r#"[{"which":[1],"known":"a","more":0}]"#,
        ] {
            assert!(serde_json::from_str::<Down>(text).is_err(), "{text}");
        }
    }
}
