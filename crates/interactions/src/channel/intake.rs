//! Taking messages in: many become one commit, each with the channel's next number. Repetitions are
//! recognised by control id, sender and content, for as long as the channel remembers.

use std::collections::HashMap;

use bytes::Bytes;
use fhir::Instant;
use sha2::{Digest, Sha256};
use store::{At, Commit, NamedChange, NamedExpected, NamedKey, NamedRow, Precondition, TenantId};

use super::row::{Message, Settled, State};
use super::{Channel, ChannelName, Log, ReusedControlId};
use crate::{InteractionError, Interactions};

/// Messages remembered under one control id; of more, the oldest are forgotten.
const REMEMBERED_MAX: usize = 64;

pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// A message to be taken. `Debug` shows none of it.
#[derive(Clone)]
pub struct Incoming {
    /// The characters it is of.
    pub charset: String,
    /// MSH-10.
    pub control_id: String,
    /// MSH-9, `ADT_A01`.
    pub trigger: String,
    /// MSH-3 and MSH-4.
    pub sender: (String, String),
    /// Its bytes.
    pub raw: Bytes,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({} bytes)", self.raw.len())
    }
}

/// How repetitions are recognised.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// How long control ids are remembered.
    pub(super) duplicate_days: u64,
    /// What is done with one that was used.
    pub(super) reused_control_id: ReusedControlId,
}

/// How a message stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is new.
    New,
    /// It was taken before: this is its number, and its time, of then.
    Repeated,
    /// Its control id was used by another message; it is taken all the same.
    Reused,
    /// The same, and the channel refuses it: it is kept and goes no further.
    Refused,
}

/// What became of a message that is durable now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its number in the channel.
    pub number: u64,
    /// When it came first.
    pub time: Instant,
    /// How it stands to earlier ones.
    pub standing: Standing,
}

/// One of the messages that had a control id.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Remembered {
    number: u64,
    time: i64,
    sender: [u8; 16],
    content: [u8; 32],
    is_refused: bool,
}

const REMEMBERED_BYTES: usize = 8 + 8 + 16 + 32 + 1;

impl Remembered {
    fn encode(all: &[Self]) -> Bytes {
        let mut bytes = Vec::with_capacity(all.len() * REMEMBERED_BYTES);
        for it in all {
            bytes.extend_from_slice(&it.number.to_be_bytes());
            bytes.extend_from_slice(&it.time.to_be_bytes());
            bytes.extend_from_slice(&it.sender);
            bytes.extend_from_slice(&it.content);
            bytes.push(it.is_refused.into());
        }
        bytes.into()
    }

    fn decode(bytes: &[u8]) -> Vec<Self> {
        let (items, _) = bytes.as_chunks::<REMEMBERED_BYTES>();
        let part = |item: &[u8; REMEMBERED_BYTES], at: usize| -> [u8; 8] {
            std::array::from_fn(|byte| item[at + byte])
        };
        let one = |item: &[u8; REMEMBERED_BYTES]| Self {
            number: u64::from_be_bytes(part(item, 0)),
            time: i64::from_be_bytes(part(item, 8)),
            sender: std::array::from_fn(|byte| item[16 + byte]),
            content: std::array::from_fn(|byte| item[32 + byte]),
            is_refused: item[64] != 0,
        };
        items.iter().map(one).collect()
    }
}

fn half_hash(parts: &[&str]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|at| hash[at])
}

/// The row of a control id. A hash, since control ids may be made of what patients are called.
pub(super) fn control_id_key(log: &Log<'_>, control_id: &str) -> NamedKey {
    use std::fmt::Write as _;
    let mut key = String::from("k/");
    for byte in half_hash(&[control_id]) {
        let _ = write!(key, "{byte:02x}");
    }
    log.key(&key)
}

/// The numbers of the messages with a control id, as far as they are remembered.
pub(super) fn remembered_numbers(row: &NamedRow) -> Vec<u64> {
    Remembered::decode(&row.value)
        .iter()
        .map(|it| it.number)
        .collect()
}

/// A commit of messages while it is put together.
struct Taking<'t> {
    log: Log<'t>,
    rules: Rules,
    last: u64,
    now: i64,
    remembered: HashMap<NamedKey, Vec<Remembered>>,
    named: Vec<NamedChange>,
}

impl Taking<'_> {
    fn take(&mut self, incoming: &Incoming) -> Receipt {
        let key = control_id_key(&self.log, &incoming.control_id);
        let sender = half_hash(&[&incoming.sender.0, &incoming.sender.1]);
        let content: [u8; 32] = Sha256::digest(&incoming.raw).into();
        let oldest = self.now - self.oldest();
        let known = self.remembered.entry(key).or_default();
        known.retain(|it| it.time >= oldest);
        if let Some(it) = known
            .iter()
            .find(|it| it.sender == sender && it.content == content)
        {
            let standing = if it.is_refused {
                Standing::Refused
            } else {
                Standing::Repeated
            };
            return Receipt {
                number: it.number,
                time: Instant::from_micros(it.time),
                standing,
            };
        }
        let is_reused = known.iter().any(|it| it.sender == sender);
        let is_refused = is_reused && self.rules.reused_control_id == ReusedControlId::Refuse;
        self.last += 1;
        let number = self.last;
        if known.len() >= REMEMBERED_MAX {
            known.remove(0);
        }
        known.push(Remembered {
            number,
            time: self.now,
            sender,
            content,
            is_refused,
        });
        self.put_message(number, incoming, is_reused, is_refused);
        let standing = match (is_reused, is_refused) {
            (false, _) => Standing::New,
            (true, false) => Standing::Reused,
            (true, true) => Standing::Refused,
        };
        Receipt {
            number,
            time: Instant::from_micros(self.now),
            standing,
        }
    }

    /// How long control ids are remembered, in microseconds.
    fn oldest(&self) -> i64 {
        i64::try_from(self.rules.duplicate_days)
            .map_or(i64::MAX, |it| it.saturating_mul(DAY_MICROS))
    }

    fn put_message(&mut self, number: u64, incoming: &Incoming, reused: bool, refused: bool) {
        let time = Instant::from_micros(self.now);
        let message = Message {
            number,
            time,
            charset: incoming.charset.clone(),
            control_id: incoming.control_id.clone(),
            trigger: incoming.trigger.clone(),
            sender: incoming.sender.clone(),
            reuses_control_id: reused,
            is_corrected: false,
            raw: incoming.raw.clone(),
        };
        self.put(self.log.numbered("m", number), message.encode(), None);
        if refused {
            let settled = Settled {
                state: State::Refused,
                condition: 205,
                what: "the control id was used for another message".to_owned(),
                ..Settled::received(time)
            };
            self.put(self.log.numbered("s", number), settled.encode(), None);
        }
    }

    fn put(&mut self, key: NamedKey, value: Bytes, expires: Option<store::Instant>) {
        self.named.push(NamedChange::Put {
            key,
            value,
            expires,
        });
    }

    fn finish(mut self, last_row: Option<&NamedRow>, before: u64) -> Option<Commit> {
        if self.last == before {
            return None;
        }
        let expires = Some(store::Instant(self.now.saturating_add(self.oldest())));
        let changed = std::mem::take(&mut self.remembered).into_iter();
        for (key, known) in changed.filter(|(_, known)| known.iter().any(|it| it.number > before)) {
            self.put(key, Remembered::encode(&known), expires);
        }
        let key = self.log.key("last");
        self.put(key.clone(), self.last.to_string().into(), None);
        let expected = last_row.map_or(NamedExpected::Absent, |row| {
            NamedExpected::Revision(row.revision)
        });
        Some(Commit {
            named: self.named,
            preconditions: vec![Precondition::Named { key, expected }],
            ..Commit::default()
        })
    }
}

/// A number kept as a row of its own; zero if there is none.
pub(super) fn number_of(row: Option<&NamedRow>) -> u64 {
    row.and_then(|row| std::str::from_utf8(&row.value).ok()?.parse().ok())
        .unwrap_or(0)
}

impl Interactions {
    /// Makes messages durable, in their order, with the channel's next numbers: one commit. A
    /// message that was taken before gets its receipt of then, and is not taken again.
    pub async fn take_messages(
        &self,
        tenant: &TenantId,
        channel: &Channel,
        messages: &[Incoming],
    ) -> Result<Vec<Receipt>, InteractionError> {
        let rules = Rules {
            duplicate_days: channel.duplicate_days,
            reused_control_id: channel.reused_control_id,
        };
        self.take_into(tenant, &channel.name, rules, messages).await
    }

    /// The same for any log.
    pub(super) async fn take_into(
        &self,
        tenant: &TenantId,
        log: &ChannelName,
        rules: Rules,
        messages: &[Incoming],
    ) -> Result<Vec<Receipt>, InteractionError> {
        let log = Log(log);
        let mut keys = vec![log.key("last")];
        keys.extend(
            messages
                .iter()
                .map(|it| control_id_key(&log, &it.control_id)),
        );
        let view = self.store.view(tenant, At::Newest).await?;
        let mut rows = view.named(&keys).await?.into_iter();
        let last_row = rows.next().flatten();
        let before = number_of(last_row.as_ref());
        let known = keys.drain(1..).zip(rows);
        let remembered =
            known.filter_map(|(key, row)| Some((key, Remembered::decode(&row?.value))));
        let mut taking = Taking {
            rules,
            last: before,
            now: self.clock.now().0,
            remembered: remembered.collect(),
            named: Vec::with_capacity(messages.len() * 2 + 1),
            log,
        };
        let receipts = messages.iter().map(|it| taking.take(it)).collect();
        if let Some(commit) = taking.finish(last_row.as_ref(), before) {
            self.store.commit(tenant, commit).await?;
        }
        Ok(receipts)
    }

    /// The number of the channel's newest message.
    pub async fn newest_message(
        &self,
        tenant: &TenantId,
        channel: &ChannelName,
    ) -> Result<u64, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let rows = view.named(&[Log(channel).key("last")]).await?;
        Ok(number_of(rows[0].as_ref()))
    }
}
