//! Where the shared memory lies in Consul's key-value store, and reading it.

use std::collections::HashSet;

use anyhow::anyhow;

use super::sight::Held;
use crate::consul::{Agent, Entry, Failure, Freshness, SessionId};
use crate::output::Log;
use crate::queue::MailId;
use crate::shared::{Head, Unreadable, key_name};

/// So many mails that were sent are noted in one key, 13 bytes each: to note one more costs the same however many they are.
pub(super) const NOTED_TOGETHER: usize = 256;

/// The keys of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// Below the prefix, without a slash.
    cluster: String,
}

impl Keys {
    /// Those below `prefix`, which ends with a slash.
    pub(super) fn of(prefix: &str, cluster: &str) -> Self {
        Keys {
            cluster: format!("{prefix}{}", key_name(cluster)),
        }
    }

    /// What every node reads in every pass.
    fn folder(&self) -> String {
        format!("{}/", self.cluster)
    }

    pub(super) fn lock(&self) -> String {
        format!("{}/leader", self.cluster)
    }

    pub(super) fn memory(&self) -> String {
        format!("{}/memory", self.cluster)
    }

    pub(super) fn yielded(&self) -> String {
        format!("{}/yield", self.cluster)
    }

    /// Where PetaSAN's leader says that it carries out passes.
    pub(super) fn awake(&self) -> String {
        format!("{}/awake", self.cluster)
    }

    pub(super) fn sent(&self) -> String {
        format!("{}/sent/", self.cluster)
    }

    /// What is only read when the head has changed; so it lies beside the folder.
    pub(super) fn parts(&self) -> String {
        format!("{}-parts/", self.cluster)
    }

    pub(super) fn part(&self, folder: &str, number: usize) -> String {
        format!("{}{folder}/{number}", self.parts())
    }

    /// Reads the parts of a memory, one behind the other; `None` where one is missing.
    pub(super) fn read_parts(
        &self,
        agent: &Agent,
        head: &Head,
        freshness: Freshness,
        log: &Log,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let mut content = Vec::new();
        for number in 0..head.parts {
            let key = self.part(&head.folder(), number);
            match agent.read_entry(&key, freshness, log)? {
                Some(entry) => content.extend(entry.value),
                None => return Ok(None),
            }
        }
        Ok(Some(content))
    }
}

/// What was read of the shared memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing could be read.
    Nothing,
    /// This.
    Tree(Box<Tree>),
    /// This node has written since.
    Outdated,
}

impl Found {
    fn tree(&self) -> Option<&Tree> {
        match self {
            Found::Tree(tree) => Some(tree),
            Found::Nothing | Found::Outdated => None,
        }
    }

    /// The head; `None` where there is none.
    pub(super) fn head(&self) -> anyhow::Result<Option<Head>> {
        match self.tree().and_then(|tree| tree.head.as_ref()) {
            None => Ok(None),
            Some((Ok(head), _)) => Ok(Some(head.clone())),
            Some((Err(unreadable), _)) => Err(anyhow!("{unreadable}")),
        }
    }

    /// The nodes that have left a sign that they carry out passes.
    pub(super) fn signs(&self) -> Vec<&str> {
        let tree = self.tree();
        let holder = tree
            .and_then(|tree| tree.lock.as_ref())
            .map(|(_, node)| node.as_str());
        let awake = tree
            .and_then(|tree| tree.awake.as_ref())
            .map(|(node, _)| node.as_str());
        let signs = holder.into_iter().chain(awake);
        signs.filter(|node| !node.is_empty()).collect()
    }

    /// What the head stands for was written by a later release.
    pub(super) fn leave_alone(&mut self) {
        if let Found::Tree(tree) = self
            && let Some((head, _)) = &mut tree.head
        {
            *head = Err(Unreadable::Newer);
        }
    }

    pub(super) fn is_of_later_release(&self) -> bool {
        let head = self.tree().and_then(|tree| tree.head.as_ref());
        matches!(head, Some((Err(Unreadable::Newer), _)))
    }

    /// What a change of the head is checked against.
    pub(super) fn index(&self) -> u64 {
        let head = self.tree().and_then(|tree| tree.head.as_ref());
        head.map_or(0, |(_, index)| *index)
    }

    /// The number of a key in which no mails are noted: what another pass has noted stays.
    pub(super) fn free_number(&self) -> u32 {
        self.tree().map_or(0, |tree| tree.free_number)
    }

    /// The mails that were sent since the head was written.
    pub(super) fn sent(&self) -> HashSet<MailId> {
        let sent = self.tree().map(|tree| tree.sent.iter().cloned());
        sent.into_iter().flatten().collect()
    }
}

/// What every node reads in every pass, in one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// Who holds our lock, and the name that stands in it.
    pub(super) lock: Option<(SessionId, String)>,
    /// The head of the memory, and its index.
    head: Option<(Result<Head, Unreadable>, u64)>,
    /// The mails that were sent since.
    sent: Vec<MailId>,
    /// The first number below which no mails are noted yet.
    free_number: u32,
    /// The holder of PetaSAN's lock who has left the voice to others, and the index of that.
    pub(super) yielded: Option<(String, u64)>,
    /// The holder of PetaSAN's lock that last said that it carries out passes, and the index of that.
    pub(super) awake: Option<(String, u64)>,
}

impl Tree {
    pub(super) fn read(
        agent: &Agent,
        keys: &Keys,
        freshness: Freshness,
        log: &Log,
    ) -> Result<Box<Tree>, Failure> {
        let mut tree = Tree::default();
        for entry in agent.read_tree(&keys.folder(), freshness, log)? {
            tree.take_up(keys, entry);
        }
        Ok(Box::new(tree))
    }

    /// Who holds our own lock. `session` is that of this node, if it has one.
    pub(super) fn holder(&self, session: Option<&str>) -> Held {
        match &self.lock {
            None => Held::Nobody,
            Some((holder, _)) if session == Some(holder.as_str()) => Held::Ours(holder.clone()),
            Some((_, node)) => Held::By(Some(node.clone()).filter(|node| !node.is_empty())),
        }
    }

    fn take_up(&mut self, keys: &Keys, entry: Entry) {
        let Entry {
            key,
            value,
            modify_index,
            session,
            ..
        } = entry;
        let text = String::from_utf8_lossy(&value);
        if key == keys.lock() {
            self.lock = session.map(|session| (session, text.into_owned()));
        } else if key == keys.memory() {
            self.head = Some((Head::parse(&value), modify_index));
        } else if key == keys.yielded() {
            self.yielded = Some((text.into_owned(), modify_index));
        } else if key == keys.awake() {
            let node = text.split_whitespace().next().unwrap_or_default();
            self.awake = Some((node.to_owned(), modify_index));
        } else if let Some(number) = key.strip_prefix(&keys.sent()) {
            let next = number.parse().unwrap_or(0_u32).saturating_add(1);
            self.free_number = self.free_number.max(next);
            self.sent
                .extend(text.lines().filter_map(|id| id.parse().ok()));
        }
    }
}
