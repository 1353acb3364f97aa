//! Finds a time zone by its name in the machine's database (package tzdata).

use std::fs;
use std::path::Path;

use jiff::tz::{self, TimeZone};

/// Where nearly all machines keep the database.
const DATABASE: &str = "/usr/share/zoneinfo";

/// Names less alike than this are no slip of the pen (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

/// The zone of this name.
///
/// # Errors
/// There is none; with the nearest one that there is.
pub(super) fn find(name: &str) -> Result<TimeZone, String> {
    if let Some(zone) = read(name) {
        return Ok(zone);
    }
    TimeZone::get(name).map_err(|_| {
        let mut known: Vec<String> = tz::db().available().map(|zone| zone.to_string()).collect();
        if known.len() <= 1 {
            return format!(
                "cannot find the time zone \"{name}\": this machine has no time zones; install the package tzdata"
            );
        }
        let likeness = |other: &String| {
            let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
            strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase())
                .max(strsim::jaro_winkler(&last(name), &last(other)))
        };
        known.sort_by(|one, other| likeness(other).total_cmp(&likeness(one)));
        match known.first().filter(|nearest| likeness(nearest) >= ALIKE) {
            Some(nearest) => format!("there is no time zone \"{name}\"; did you mean \"{nearest}\"?"),
            None => format!(
                "there is no time zone \"{name}\"; it must be a name like \"Europe/Berlin\", \
                 as listed by: timedatectl list-timezones"
            ),
        }
    })
}

/// Reads this one alone: to look it up in the list of all, the whole database is gone through, in every pass.
fn read(name: &str) -> Option<TimeZone> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/');
    if name.starts_with('/') || !name.chars().all(harmless) {
        return None;
    }
    let rules = fs::read(Path::new(DATABASE).join(name)).ok()?;
    TimeZone::tzif(name, &rules).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_by_name_and_others_have_a_hint() {
        for name in ["Europe/Berlin", "europe/berlin", "Asia/Shanghai", "UTC"] {
            let zone = find(name).unwrap();
            assert!(zone.iana_name().unwrap().eq_ignore_ascii_case(name));
        }
        let berlin = "there is no time zone \"Europe/Berln\"; did you mean \"Europe/Berlin\"?";
        assert_eq!(find("Europe/Berln").unwrap_err(), berlin);
        let shanghai = "did you mean \"Asia/Shanghai\"?";
        assert!(find("Shanghai").unwrap_err().ends_with(shanghai));
        for name in ["../../../etc/passwd", "/etc/passwd", "xyz", "Ω"] {
            let error = find(name).unwrap_err();
            assert!(error.contains("\"Europe/Berlin\""), "{error}");
        }
    }
}
