//! What a channel is: one table of fields, each with its default, which the configuration file, the
//! interface and the command line share. All faults are reported at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use fhir::FhirVersion;
use store::TenantId;

use super::ChannelName;
use super::defined::{Configured, Definition};
use super::field::{
    self, BYTES, COUNT, DAYS_MOST, DEFAULT_DAYS, DefinitionFault, Field, NUMBER, PATH, count,
    field, set, size, some, word,
};
use crate::salt::Salt;

/// When a message in original mode is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledge {
    /// When it is durable.
    OnReceipt,
    /// When its resources are.
    OnStore,
}

/// What is done with another message under a control id that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReusedControlId {
    /// It is taken, and marked.
    Accept,
    /// It is kept, marked, answered with an error and not converted.
    Refuse,
}

/// What a message that cannot be converted or stored holds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The later messages of its patients.
    Park,
    /// All later messages of the channel.
    Stop,
}

/// How ids of resources are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ids {
    /// A hash of what identifies them.
    Hash,
    /// The same with a secret.
    Salted(Salt),
    /// The server's; resources are looked for by their identifiers.
    Conditional,
}

/// What a channel says of ids.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IdsField {
    Hash,
    Salted,
    Conditional,
}

/// A channel. `Debug` shows where it is and no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The version of FHIR it stores.
    pub version: FhirVersion,
    /// The library that converts; none: messages are only kept.
    pub library: Option<String>,
    /// The root template; none: by the message's type.
    pub root: Option<String>,
    /// Minutes east of UTC, of times that name no zone; none: as the library says.
    pub zone_minutes: Option<i32>,
    /// How a strict library makes ids; none: as its tenant has them.
    ids: Option<IdsField>,
    /// The secret of salted ids; none: its tenant's.
    ids_salt: Option<Salt>,
    /// The characters of messages that name none.
    pub charset: String,
    /// When it answers.
    pub acknowledge: Acknowledge,
    /// The destination of later answers of enhanced mode; none: the message's own connection.
    pub answers_to: Option<ChannelName>,
    /// What it does with a control id that was used.
    pub reused_control_id: ReusedControlId,
    /// How long a control id is remembered.
    pub duplicate_days: u64,
    /// How long settled messages are kept; zero: for ever.
    pub keep_days: u64,
    /// What a failure holds up.
    pub on_failure: OnFailure,
    /// Messages that are stored at one time.
    pub parallel: usize,
    /// Parked and waiting messages; beyond, the channel stops.
    pub parked_max: usize,
    /// Open connections.
    pub connections_max: usize,
    /// Bytes of one message.
    pub message_bytes_max: usize,
    /// Bytes of all messages that are being received.
    pub buffer_bytes_max: usize,
    /// Messages in a second, of all connections; zero: as many as there come.
    pub messages_per_second_max: u64,
    /// How long a connection may be idle.
    pub idle_timeout: Duration,
    /// How long a message may take to come in, and an answer to be taken.
    pub frame_timeout: Duration,
    /// Certificate chain and key (PEM) for TLS; none: plain TCP.
    pub tls: Option<(String, String)>,
    /// Certificates (PEM) of those who sign clients' certificates; clients must then show one.
    pub tls_client_ca: Option<String>,
    /// What was given, by field.
    given: BTreeMap<String, String>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel({} at {})", self.name, self.listen)
    }
}

/// The one field whose value is shown to nobody.
const SECRET: &str = "ids_salt";

/// The most that a message may have: what the store takes as one row, and room for its marks.
const MESSAGE_BYTES_MOST: usize = 15 << 20;

/// Every field.
#[rustfmt::skip]
pub const FIELDS: &[Field<Channel>] = &[
    field("listen", "127.0.0.1:2575", "an address and port such as 127.0.0.1:2575", "address and port of MLLP",
        |it, text| set(&mut it.listen, text.parse().ok())),
    field("version", "r4", "r4 or stu3", "version of FHIR that messages become",
        |it, text| set(&mut it.version, FhirVersion::from_slug(text))),
    field("library", "", "hl7v2, another name, or the path of a folder", "library that converts: by name the one that the tenant uses (hl7v2 is ours), by path a folder of templates; none: messages are only kept",
        |it, text| set(&mut it.library, Some(some(text)))),
    field("root", "auto", "auto or a template's name", "template to begin with; auto: by MSH-9",
        |it, text| set(&mut it.root, Some(some(text).filter(|it| it != "auto")))),
    field("zone", "", "an offset such as +01:00", "zone of times that name none; a strict library takes that of MSH-7 before it",
        |it, text| set(&mut it.zone_minutes, Some(Some(zone_minutes(text)?)))),
    field("charset", "UNICODE UTF-8", "a name of table 0211", "characters of messages whose MSH-18 names none",
        |it, text| set(&mut it.charset, Some(text.to_owned()).filter(|it| !it.is_empty()))),
    field("ids", "", "hash, salted or conditional", "how a strict library makes ids of resources; not given: salted where the tenant has a salt, otherwise hash",
        |it, text| set(&mut it.ids, Some(Some(word(text, &[("hash", IdsField::Hash), ("salted", IdsField::Salted), ("conditional", IdsField::Conditional)])?)))),
    field(SECRET, "", Salt::EXPECTED, "secret of salted ids, instead of the tenant's",
        |it, text| set(&mut it.ids_salt, Some(Some(Salt::parse(text)?)))),
    field("acknowledge", "on_receipt", "on_receipt or on_store", "when original mode answers: the message is durable, or its resources are",
        |it, text| set(&mut it.acknowledge, word(text, &[("on_receipt", Acknowledge::OnReceipt), ("on_store", Acknowledge::OnStore)]))),
    field("answers_to", "", "a destination's name", "destination that later answers of enhanced mode (MSH-16) are sent to; none: the message's own connection",
        |it, text| set(&mut it.answers_to, Some(Some(ChannelName::parse(text)?)))),
    field("reused_control_id", "accept", "accept or refuse", "what is done with another message under a used control id",
        |it, text| set(&mut it.reused_control_id, word(text, &[("accept", ReusedControlId::Accept), ("refuse", ReusedControlId::Refuse)]))),
    field("duplicate_days", DEFAULT_DAYS, COUNT, "days that control ids are remembered",
        |it, text| set(&mut it.duplicate_days, count(text, DAYS_MOST))),
    field("keep_days", "0", "a whole number, 36500 at most", "days after which stored, refused and dismissed messages are removed; 0: never",
        |it, text| set(&mut it.keep_days, text.parse().ok().filter(|it| *it <= DAYS_MOST))),
    field("on_failure", "park", "park or stop", "what a message that fails holds up: its patients' later ones, or all",
        |it, text| set(&mut it.on_failure, word(text, &[("park", OnFailure::Park), ("stop", OnFailure::Stop)]))),
    field("parallel", "32", "a whole number from 1 to 1000", "messages stored at one time; those that touch each other go in order",
        |it, text| set(&mut it.parallel, size(text, 1_000))),
    field("parked_max", "10000", "a whole number from 1 to 100000", "failed and waiting messages; beyond, the channel stops converting",
        |it, text| set(&mut it.parked_max, size(text, 100_000))),
    field("connections_max", "100", COUNT, "open connections",
        |it, text| set(&mut it.connections_max, size(text, 100_000))),
    field("message_bytes_max", "4M", "a number of bytes, 15M at most", "bytes of one message",
        |it, text| set(&mut it.message_bytes_max, size(text, MESSAGE_BYTES_MOST))),
    field("buffer_bytes_max", "64M", BYTES, "bytes of all messages being received; others wait",
        |it, text| set(&mut it.buffer_bytes_max, size(text, 64 << 30))),
    field("messages_per_second_max", "0", NUMBER, "messages in a second, of all connections; 0: as many as come",
        |it, text| set(&mut it.messages_per_second_max, text.parse().ok())),
    field("idle_timeout_ms", "3600000", COUNT, "time a connection may be idle",
        |it, text| set(&mut it.idle_timeout, count(text, u64::MAX).map(Duration::from_millis))),
    field("frame_timeout_ms", "30000", COUNT, "time a message may take to come in, and its answer to be taken",
        |it, text| set(&mut it.frame_timeout, count(text, u64::MAX).map(Duration::from_millis))),
    field("tls_certificate", "", PATH, "file with the certificate chain, PEM; with it, TLS is spoken",
        |it, text| set(&mut it.tls.get_or_insert_default().0, Some(text.to_owned()))),
    field("tls_key", "", PATH, "file with its private key, PEM",
        |it, text| set(&mut it.tls.get_or_insert_default().1, Some(text.to_owned()))),
    field("tls_client_ca", "", PATH, "file with certificates that sign clients', PEM; clients must show one",
        |it, text| set(&mut it.tls_client_ca, Some(some(text)))),
];

/// Minutes east of UTC of an offset such as `+01:00`.
pub fn zone_minutes(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest
        .split_once(':')
        .filter(|it| it.0.len() == 2 && it.1.len() == 2)?;
    let number = |text: &str| text.parse::<u8>().ok().map(i32::from);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

impl Channel {
    /// A channel of that name whose fields are not read yet.
    fn plain(name: ChannelName) -> Self {
        Self {
            name,
            listen: SocketAddr::from(([127, 0, 0, 1], 2575)),
            version: FhirVersion::R4,
            library: None,
            root: None,
            zone_minutes: None,
            ids: None,
            ids_salt: None,
            charset: String::new(),
            acknowledge: Acknowledge::OnReceipt,
            answers_to: None,
            reused_control_id: ReusedControlId::Accept,
            duplicate_days: 0,
            keep_days: 0,
            on_failure: OnFailure::Park,
            parallel: 0,
            parked_max: 0,
            connections_max: 0,
            message_bytes_max: 0,
            buffer_bytes_max: 0,
            messages_per_second_max: 0,
            idle_timeout: Duration::ZERO,
            frame_timeout: Duration::ZERO,
            tls: None,
            tls_client_ca: None,
            given: BTreeMap::new(),
        }
    }

    /// Reads a definition; every fault at once.
    pub fn read(
        name: ChannelName,
        given: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<DefinitionFault>> {
        let mut channel = Self::plain(name);
        let (given, mut faults) = field::read(&mut channel, FIELDS, "a channel", given);
        channel.given = given;
        faults.extend(channel.contradictions());
        if faults.is_empty() {
            Ok(channel)
        } else {
            Err(faults)
        }
    }

    /// Fields that do not go together.
    fn contradictions(&self) -> Vec<DefinitionFault> {
        let mut faults = Vec::new();
        let mut fault = |field: &str, what: &str| {
            faults.push(DefinitionFault::new(field, what));
        };
        if let Some((certificate, key)) = &self.tls {
            if certificate.is_empty() {
                fault("tls_certificate", "is missing beside `tls_key`");
            }
            if key.is_empty() {
                fault("tls_key", "is missing beside `tls_certificate`");
            }
        } else if self.tls_client_ca.is_some() {
            fault("tls_client_ca", "needs `tls_certificate` and `tls_key`");
        }
        if self.ids_salt.is_some() && self.ids != Some(IdsField::Salted) {
            fault(SECRET, "belongs to `ids` = salted");
        }
        if self.library.is_none() && self.acknowledge == Acknowledge::OnStore {
            fault(
                "acknowledge",
                "cannot be on_store where no `library` converts",
            );
        }
        if self.library.is_none() && self.answers_to.is_some() {
            fault(
                "answers_to",
                "has nothing to send where no `library` settles messages",
            );
        }
        if self.library.is_none() && self.keep_days > 0 {
            fault(
                "keep_days",
                "removes nothing where no `library` settles messages",
            );
        }
        if (1..self.duplicate_days).contains(&self.keep_days) {
            fault(
                "keep_days",
                "is less than `duplicate_days`: a message that is repeated must still be there",
            );
        }
        faults
    }

    /// How its ids are made in a tenant with that salt, or without one. What the channel says itself
    /// goes before.
    pub fn ids(&self, of_tenant: Option<&Salt>) -> Result<Ids, DefinitionFault> {
        let salted = |salt: &Salt| Ids::Salted(salt.clone());
        match self.ids {
            None => Ok(of_tenant.map_or(Ids::Hash, salted)),
            Some(IdsField::Hash) => Ok(Ids::Hash),
            Some(IdsField::Conditional) => Ok(Ids::Conditional),
            Some(IdsField::Salted) => {
                let salt = self.ids_salt.as_ref().or(of_tenant);
                let what = "is missing: `ids` is salted, and the tenant has no salt either";
                let missing = || DefinitionFault::new(SECRET, what);
                salt.map(salted).ok_or_else(missing)
            }
        }
    }

    /// Whether it says itself how ids are made.
    pub fn has_own_ids(&self) -> bool {
        self.ids.is_some_and(|it| it != IdsField::Hash)
    }
}

impl Definition for Channel {
    const KIND: &'static str = "channel";
    const SECRET: Option<&'static str> = Some(SECRET);

    fn read(
        name: ChannelName,
        given: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<DefinitionFault>> {
        Self::read(name, given)
    }

    fn name(&self) -> &ChannelName {
        &self.name
    }

    fn fields(&self) -> &BTreeMap<String, String> {
        &self.given
    }

    fn configured(all: &Configured) -> &[(TenantId, Self)] {
        &all.channels
    }

    fn log(&self) -> ChannelName {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<Channel, Vec<DefinitionFault>> {
        let name = ChannelName::parse("lab").unwrap();
        Channel::read(
            name,
            given
                .iter()
                .map(|(name, text)| ((*name).into(), (*text).into())),
        )
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let faults = read(&[
            ("listn", "x"),
            ("zone", "CET"),
            ("parallel", "0"),
            ("message_bytes_max", "16M"),
            ("ids", "salt"),
            ("tls_key", "k.pem"),
            ("acknowledge", "on_store"),
            ("keep_days", "6"),
            ("answers_to", "back"),
        ]);
        let told: Vec<_> = faults
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "`listn` is no field of a channel; did you mean `listen`?",
                "`zone` is not an offset such as +01:00",
                "`parallel` is not a whole number from 1 to 1000",
                "`message_bytes_max` is not a number of bytes, 15M at most",
                "`ids` is not hash, salted or conditional",
                "`tls_certificate` is missing beside `tls_key`",
                "`acknowledge` cannot be on_store where no `library` converts",
                "`answers_to` has nothing to send where no `library` settles messages",
                "`keep_days` removes nothing where no `library` settles messages",
                "`keep_days` is less than `duplicate_days`: a message that is repeated must still be there",
            ]
        );
    }

    #[test]
    fn ids_are_as_the_channel_says_or_else_as_its_tenant_has_them() {
        let (of_tenant, own) = ("the tenant's salt", "the channel's own salt");
        let salted = |text: &str| Ids::Salted(Salt::parse(text).unwrap());
        let plain: &[(&str, &str)] = &[];
        for (given, without, with) in [
            (plain, Ok(Ids::Hash), salted(of_tenant)),
            (&[("ids", "hash")], Ok(Ids::Hash), Ids::Hash),
            (
                &[("ids", "conditional")],
                Ok(Ids::Conditional),
                Ids::Conditional,
            ),
            (
                &[("ids", "salted"), ("ids_salt", own)],
                Ok(salted(own)),
                salted(own),
            ),
            (
                &[("ids", "salted")],
                Err("`ids_salt` is missing: `ids` is salted, and the tenant has no salt either"),
                salted(of_tenant),
            ),
        ] {
            let channel = read(given).unwrap();
            let told = channel.ids(None).map_err(|fault| fault.to_string());
            assert_eq!(told, without.map_err(str::to_owned));
            assert_eq!(channel.ids(Salt::parse(of_tenant).as_ref()), Ok(with));
        }
        let faults = read(&[("ids_salt", own)]).unwrap_err();
        assert_eq!(
            faults[0].to_string(),
            "`ids_salt` belongs to `ids` = salted"
        );
    }
}
