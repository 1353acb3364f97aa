//! What the `ceph` CLI prints, for either question: the facts are consistent, and their mail can be composed.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use petanotify::alert::Observed;
use petanotify::ceph;
use petanotify::check::capacity::used_percent;
use petanotify::facts::OsdTree;
use petanotify::state::State;
use petanotify_fuzz::{minutes_later, pass};
use serde_json::Value;

fuzz_target!(|printed: &[u8]| {
    let status = ceph::parse_status(printed);
    let health = match ceph::health::parse_status_and_health(printed) {
        Ok((beside, health)) => {
            assert_eq!(beside.ok().as_ref(), status.as_ref().ok());
            health
        }
        Err(error) => {
            assert!(status.is_err());
            Err(error)
        }
    };
    let tree = ceph::parse_osd_tree(printed);
    // Most inputs are neither, and a pass would see nothing in them.
    if status.is_err() && tree.is_err() && health.is_err() {
        return;
    }
    if let Ok(status) = &status
        && let usage = status.usage
        && let Ok(percent) = used_percent(usage)
    {
        assert!(percent >= 0.0 && percent.is_finite());
        assert!(usage.used_bytes > usage.total_bytes || percent <= 100.0);
    }
    if let Ok(tree) = &tree {
        check_tree(printed, tree);
    }
    let words = |error| format!("{error:#}");
    let (usage, maintenance) = match status.map_err(words) {
        Ok(status) => (Ok(status.usage), Some(status.maintenance)),
        Err(words) => (Err(words), None),
    };
    let mut observed = Observed {
        capacity: Some(usage),
        maintenance,
        osds: Some(tree.map_err(|error| format!("{error:#}"))),
        nodes: None,
        health: Some(health.map_err(|error| format!("{error:#}"))),
    };
    let mut state = State::default();
    for minute in 0..3 {
        state = pass(state, observed.clone(), minutes_later(minute));
    }
    // Afterwards Ceph knows none of them any more.
    observed.osds = Some(Ok(OsdTree::default()));
    let state = pass(state, observed, minutes_later(3));
    assert_eq!(state.memory.osds.incident, None);
});

/// Every OSD is up or down and not both, and as many are seen as another reader of JSON finds.
fn check_tree(printed: &[u8], tree: &OsdTree) {
    for id in tree.down.keys() {
        assert!(!tree.up.contains(id), "{id} is up and down");
    }
    let Ok(document) = serde_json::from_slice::<Value>(printed) else {
        return;
    };
    let lists = [&document["nodes"], &document["stray"]];
    let osds: Vec<&Value> = lists
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter(|entry| entry["type"] == "osd" && entry["exists"].as_f64() != Some(0.0))
        .collect();
    let ids: Option<BTreeSet<i64>> = osds.iter().map(|osd| osd["id"].as_i64()).collect();
    // A document inside of the document may have been taken where the outer one makes no sense; numbers may be floats.
    let makes_sense = osds.iter().all(|osd| osd["status"].is_string());
    if let (Some(ids), true, true) = (ids, makes_sense, document["nodes"].is_array()) {
        assert_eq!(tree.up.len() + tree.down.len(), ids.len());
    }
}
