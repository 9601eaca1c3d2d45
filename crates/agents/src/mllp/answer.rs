//! What a message is answered: by the channel's setting in original mode, by MSH-15 and MSH-16 in
//! enhanced mode (HL7 v2.9 §2.9). An answer depends on nothing but the message, its receipt and what
//! became of it, so a repeated message is answered with the same bytes as the first time.

use convert::hl7v2::{Acknowledgment, Charset, Code, Fault, HL70357, Header, Mode};
use fhir::Instant;
use interactions::channel::{Incoming, Message, Receipt, Settled, Standing, State};

/// The characters of a message of a log. What was corrected may have been just that.
pub(super) fn charset(message: &Message) -> Result<Charset, String> {
    let noted = Charset::named(&message.charset).map_err(|fault| fault.to_string())?;
    if message.is_corrected {
        return Header::charset(&message.raw, noted).map_err(|fault| fault.what);
    }
    Ok(noted)
}

/// A message that was read, as far as its answer needs it.
pub(super) struct Question {
    pub(super) header: Option<Header>,
    pub(super) charset: Charset,
    pub(super) mode: Mode,
}

impl Question {
    /// The question that a message of a log is.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let charset = charset(message).ok()?;
        let header = Header::read(&charset.decode(&message.raw).ok()?).ok()?;
        let mode = Mode::of(&header).ok()?;
        Some(Self {
            header: Some(header),
            charset,
            mode,
        })
    }

    /// The later answer as a message of its own, if one is wanted.
    pub(super) fn later(&self, message: &Message, settled: &Settled) -> Option<Incoming> {
        if !self.wants_outcome() {
            return None;
        }
        let receipt = Receipt {
            number: message.number,
            time: message.time,
            standing: Standing::New,
        };
        let text = self.outcome(receipt, Some(settled))?;
        let header = Header::read(&text).ok()?;
        Some(Incoming {
            charset: self.charset.name().to_owned(),
            control_id: header.control_id().to_owned(),
            trigger: header.trigger(),
            sender: (header.field(3).to_owned(), header.field(4).to_owned()),
            raw: self.charset.encode(&text).into(),
        })
    }

    fn answer(
        &self,
        code: Code,
        control_id: String,
        time: Instant,
        fault: Option<&Fault>,
    ) -> String {
        let of = self.header.as_ref();
        Acknowledgment {
            of,
            code,
            control_id,
            time,
            fault,
        }
        .text()
    }

    /// The answer to a message that is not taken; none where it wants none.
    pub(super) fn refusal(&self, fault: &Fault, now: Instant) -> Option<String> {
        let control_id = format!("E{}", now.micros());
        let code = match self.mode {
            Mode::Original => Code::application(Some(fault)),
            Mode::Enhanced { accept, .. } if accept.wants(false) => Code::accept(Some(fault)),
            // Nothing can be said later of a message that is not kept.
            Mode::Enhanced { application, .. } if application.wants(false) => {
                Code::application(Some(fault))
            }
            Mode::Enhanced { .. } => return None,
        };
        Some(self.answer(code, control_id, now, Some(fault)))
    }

    /// The first answer to a message that is durable.
    pub(super) fn receipt(&self, receipt: Receipt) -> Option<String> {
        let fault = (receipt.standing == Standing::Refused).then(reused);
        let code = match self.mode {
            Mode::Original => match fault {
                None => Code::ApplicationAccept,
                Some(_) => Code::ApplicationError,
            },
            Mode::Enhanced { accept, .. } if accept.wants(fault.is_none()) => {
                Code::accept(fault.as_ref())
            }
            Mode::Enhanced { .. } => return None,
        };
        Some(self.answer(
            code,
            format!("A{}", receipt.number),
            receipt.time,
            fault.as_ref(),
        ))
    }

    /// The answer that says what became of it; `None` for what is not known yet.
    pub(super) fn outcome(&self, receipt: Receipt, settled: Option<&Settled>) -> Option<String> {
        let fault = outcome_fault(settled);
        let code = match fault {
            None => Code::ApplicationAccept,
            Some(_) => Code::ApplicationError,
        };
        if let Mode::Enhanced { application, .. } = self.mode
            && !application.wants(fault.is_none())
        {
            return None;
        }
        Some(self.answer(
            code,
            format!("R{}", receipt.number),
            receipt.time,
            fault.as_ref(),
        ))
    }

    /// Whether an answer may be wanted that says what became of the message.
    pub(super) fn wants_outcome(&self) -> bool {
        match self.mode {
            Mode::Original => false,
            Mode::Enhanced { application, .. } => {
                application.wants(true) || application.wants(false)
            }
        }
    }
}

fn reused() -> Fault {
    let what = "the control id was used for another message, which is kept; this one is kept and not stored";
    Fault::new(HL70357::DuplicateKey, what).at("MSH", 10)
}

fn outcome_fault(settled: Option<&Settled>) -> Option<Fault> {
    let kept = |what: &str| Some(Fault::new(HL70357::Internal, what));
    let Some(settled) = settled else {
        return kept("the message is kept and not stored yet");
    };
    match settled.state {
        State::Stored | State::Sent => None,
        State::Failed => {
            let condition = HL70357::numbered(settled.condition).unwrap_or(HL70357::Internal);
            Some(Fault::new(condition, settled.what.clone()))
        }
        State::Waiting => {
            kept("the message is kept and waits behind an earlier one of its patient")
        }
        State::Dismissed => kept("the message is kept and was dismissed"),
        State::Received => kept("the message is kept and not stored yet"),
        State::Refused => Some(reused()),
    }
}
