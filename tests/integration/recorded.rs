//! The stand-in's servers against the answers of real ones.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::consul::Request;
use crate::servers::Servers;

/// The stand-in is asked what Consul 1.8.7 was asked (`consul agent -dev`), and answers the same.
#[test]
fn the_servers_answer_as_those_of_consul_did() {
    /// What the recorded answer calls a session or an index, and what the stand-in calls it.
    #[derive(Default)]
    struct Names(BTreeMap<String, String>);

    impl Names {
        fn ours(&self, recorded: &str) -> String {
            let mut text = recorded.to_owned();
            for (name, ours) in &self.0 {
                text = text.replace(name, ours);
            }
            text
        }

        /// The body of a request.
        fn body(&self, recorded: &Value) -> String {
            let mut document = recorded.clone();
            for step in document.as_array_mut().into_iter().flatten() {
                let name = format!("index {}", step["KV"]["Index"]);
                if let Some(index) = self.0.get(&name) {
                    step["KV"]["Index"] = index.trim_start_matches("index ").parse().unwrap();
                }
            }
            match document {
                Value::Null => String::new(),
                Value::String(text) => text,
                document => self.ours(&document.to_string()),
            }
        }

        /// Compares, and learns the names.
        fn compare(&mut self, ours: &Value, recorded: &Value, field: &str) -> bool {
            match (ours, recorded) {
                (Value::Object(ours), Value::Object(recorded)) => {
                    // Of the answers to transactions some tell more, which nobody reads.
                    let fields = ours.keys().chain(recorded.keys());
                    let mut fields = fields.filter(|name| {
                        !["Index", "LastContact", "KnownLeader", "ConsistencyLevel"]
                            .contains(&name.as_str())
                    });
                    fields.all(|name| match (ours.get(name), recorded.get(name)) {
                        (Some(ours), Some(recorded)) => self.compare(ours, recorded, name),
                        _ => false,
                    })
                }
                (Value::Array(ours), Value::Array(recorded)) => {
                    let both = ours.iter().zip(recorded);
                    ours.len() == recorded.len()
                        && both
                            .into_iter()
                            .all(|(ours, recorded)| self.compare(ours, recorded, field))
                }
                _ if matches!(field, "ID" | "CreateIndex" | "ModifyIndex") => {
                    let name = |value: &Value| match value {
                        Value::String(id) => id.clone(),
                        index => format!("index {index}"),
                    };
                    let known = self.0.entry(name(recorded)).or_insert_with(|| name(ours));
                    *known == name(ours)
                }
                (Value::String(ours), Value::String(recorded)) => *ours == self.ours(recorded),
                _ => ours == recorded,
            }
        }
    }

    let talk: Vec<Value> =
        serde_json::from_str(include_str!("../fixtures/consul/sharing.json")).unwrap();
    let mut servers = Servers::default();
    let mut names = Names::default();
    for turn in &talk {
        let request = names.ours(turn["request"].as_str().unwrap());
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            connection: 1,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Default::default(),
            body: names.body(&turn["body"]).into_bytes(),
        };
        let (status, answer) = servers.answer(&request, "node1");
        let said = serde_json::from_str(&answer).unwrap_or(Value::String(answer));
        assert!(
            turn["status"] == status && names.compare(&said, &turn["answer"], ""),
            "{turn}\nand the stand-in: {status} {said}"
        );
    }
}
