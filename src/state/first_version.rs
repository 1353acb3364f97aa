//! Documents of version 1: each thing that is down had an entry of its own. Pure.

use serde_json::{Map, Value, json};

/// Lays a document of version 1 out as those of version 2 are.
pub(super) fn upgrade(mut document: Value) -> Value {
    if let Some(memory) = document.get_mut("memory").and_then(Value::as_object_mut) {
        for (topic, watch) in memory {
            for field in ["down", "over"] {
                // The storage is no thing that is down.
                if let Some(Value::Object(things)) = watch.get_mut(field) {
                    let things = std::mem::take(things);
                    watch[field] = groups(topic, things);
                }
            }
        }
    }
    let queue = document.get_mut("queue").and_then(Value::as_array_mut);
    for entry in queue.into_iter().flatten() {
        let Some(report) = entry.pointer_mut("/alert/report") else {
            continue;
        };
        for (field, known) in [("new", None), ("still", None), ("over", Some("was"))] {
            let items = report.get_mut(field).and_then(Value::as_array_mut);
            for item in items.into_iter().flatten() {
                *item = group(item.take(), known);
            }
        }
    }
    document
}

/// A map from things to what is known of each. A map's keys are texts, also where they are numbers.
fn groups(topic: &str, things: Map<String, Value>) -> Value {
    let groups = things.into_iter().map(|(thing, known)| {
        let number = thing.parse::<i64>().ok().filter(|_| topic == "osds");
        let thing = number.map_or(Value::String(thing), Value::from);
        json!({"which": [thing], "known": known})
    });
    groups.collect()
}

/// An item of a list, which has its thing as `key`; what is known of it is in the field `known`, or beside the key.
fn group(item: Value, known: Option<&str>) -> Value {
    let Value::Object(mut fields) = item else {
        return item;
    };
    let Some(thing) = fields.remove("key") else {
        return Value::Object(fields);
    };
    let known = match known {
        Some(name) => fields.remove(name).unwrap_or_default(),
        None => Value::Object(fields),
    };
    json!({"which": [thing], "known": known})
}
