//! Destinations: where HL7 v2 messages are sent, each from a log of its own. The log is that of a channel
//! under a name that no channel can have, so what is queued is found, read, corrected, sent again and
//! dismissed as what a channel received.

use std::collections::BTreeMap;
use std::time::Duration;

use store::TenantId;

use super::defined::{Configured, Definition};
use super::field::{
    self, COUNT, DAYS_MOST, DEFAULT_DAYS, DefinitionFault, Field, PATH, count, field, set, some,
};
use super::intake::Rules;
use super::{ChannelName, Incoming, Receipt, ReusedControlId};
use crate::{InteractionError, Interactions};

/// A destination. `Debug` shows where it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its name.
    pub name: ChannelName,
    /// Host and port.
    pub connect: String,
    /// Certificates (PEM) of those who sign the receiver's; with them, TLS is spoken.
    pub tls_ca: Option<String>,
    /// Own certificate and key (PEM), for receivers that demand one.
    pub tls: Option<(String, String)>,
    /// How long connecting, and an answer, may take.
    pub timeout: Duration,
    /// How often a message may be refused before it is parked.
    pub refused_max: u64,
    /// How often a message may be sent without an answer before it is parked.
    pub unanswered_max: u64,
    /// How long a control id is remembered.
    pub duplicate_days: u64,
    /// How long settled messages are kept; zero: for ever.
    pub keep_days: u64,
    /// What was given, by field.
    given: BTreeMap<String, String>,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Destination({} at {})", self.name, self.connect)
    }
}

/// Every field.
#[rustfmt::skip]
const FIELDS: &[Field<Destination>] = &[
    field("connect", "", "a host and port such as ris.example:2575", "host and port of the receiver",
        |it, text| set(&mut it.connect, Some(text.to_owned()).filter(|it| is_address(it)))),
    field("tls_ca", "", PATH, "file with certificates to trust, PEM; with it, TLS is spoken",
        |it, text| set(&mut it.tls_ca, Some(some(text)))),
    field("tls_certificate", "", PATH, "file with the own certificate chain, PEM",
        |it, text| set(&mut it.tls.get_or_insert_default().0, Some(text.to_owned()))),
    field("tls_key", "", PATH, "file with its private key, PEM",
        |it, text| set(&mut it.tls.get_or_insert_default().1, Some(text.to_owned()))),
    field("timeout_ms", "30000", COUNT, "time that connecting, and an answer, may take",
        |it, text| set(&mut it.timeout, count(text, u64::MAX).map(Duration::from_millis))),
    field("refused_max", "5", COUNT, "answers AE, AR, CE or CR after which a message is parked",
        |it, text| set(&mut it.refused_max, count(text, u64::MAX))),
    field("unanswered_max", "100", COUNT, "times sent without an answer after which a message is parked",
        |it, text| set(&mut it.unanswered_max, count(text, u64::MAX))),
    field("duplicate_days", DEFAULT_DAYS, COUNT, "days that control ids are remembered",
        |it, text| set(&mut it.duplicate_days, count(text, DAYS_MOST))),
    field("keep_days", "0", "a whole number, 36500 at most", "days after which sent and dismissed messages are removed; 0: never",
        |it, text| set(&mut it.keep_days, text.parse().ok().filter(|it| *it <= DAYS_MOST))),
];

fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|it| it > 0))
}

impl Destination {
    /// Reads a definition; every fault at once.
    pub fn read(
        name: ChannelName,
        given: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<DefinitionFault>> {
        let mut destination = Self {
            name,
            connect: String::new(),
            tls_ca: None,
            tls: None,
            timeout: Duration::ZERO,
            refused_max: 0,
            unanswered_max: 0,
            duplicate_days: 0,
            keep_days: 0,
            given: BTreeMap::new(),
        };
        let (given, mut faults) = field::read(&mut destination, FIELDS, "a destination", given);
        destination.given = given;
        let mut more = destination.contradictions();
        more.retain(|it| faults.iter().all(|told| told.field != it.field));
        faults.extend(more);
        if faults.is_empty() {
            Ok(destination)
        } else {
            Err(faults)
        }
    }

    /// Fields that are missing or do not go together.
    fn contradictions(&self) -> Vec<DefinitionFault> {
        let is_given = |field: &str| self.given.contains_key(field);
        let own = is_given("tls_certificate") || is_given("tls_key");
        let has_both = is_given("tls_certificate") && is_given("tls_key");
        let keeps_too_short = (1..self.duplicate_days).contains(&self.keep_days);
        let faults = [
            ("connect", self.connect.is_empty(), "is missing"),
            (
                "tls_ca",
                own && self.tls_ca.is_none(),
                "is missing beside the own certificate",
            ),
            (
                "tls_key",
                own && !has_both,
                "and `tls_certificate` belong together",
            ),
            (
                "keep_days",
                keeps_too_short,
                "is less than `duplicate_days`: a message that is repeated must still be there",
            ),
        ];
        let faults = faults.into_iter().filter(|(_, is_wrong, _)| *is_wrong);
        faults
            .map(|(field, _, what)| DefinitionFault::new(field, what))
            .collect()
    }
}

impl Definition for Destination {
    const KIND: &'static str = "destination";

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
        &all.destinations
    }

    fn log(&self) -> ChannelName {
        self.name.outbound()
    }
}

impl Interactions {
    /// Makes a message durable in a destination's log; it is sent after those before it. One that
    /// was given before gets its receipt of then, and is not sent again.
    pub async fn send_message(
        &self,
        tenant: &TenantId,
        to: &ChannelName,
        message: Incoming,
    ) -> Result<Receipt, InteractionError> {
        let log = to.outbound();
        let _turn = self.turns.of_log(tenant, &log).await;
        let (destination, _) = self.known_definition::<Destination>(tenant, to).await?;
        let rules = Rules {
            duplicate_days: destination.duplicate_days,
            reused_control_id: ReusedControlId::Accept,
        };
        let receipts = self.take_into(tenant, &log, rules, &[message]).await?;
        self.news.tell(tenant, Some(&log));
        Ok(receipts[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_at_once() {
        let given = [
            ("connect", "ris"),
            ("tls_key", "k.pem"),
            ("keep_days", "1"),
            ("conect", ""),
        ];
        let given = given.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let faults = Destination::read(ChannelName::parse("ris").unwrap(), given).unwrap_err();
        let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "`connect` is not a host and port such as ris.example:2575",
                "`conect` is no field of a destination; did you mean `connect`?",
                "`tls_ca` is missing beside the own certificate",
                "`tls_key` and `tls_certificate` belong together",
                "`keep_days` is less than `duplicate_days`: a message that is repeated must still be there",
            ]
        );
    }
}
