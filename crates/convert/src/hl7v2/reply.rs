//! A sender's look at an answer: whether it belongs to what was sent, and what it says.

use super::acknowledgment::HL70357;
use super::header::Header;

/// What an answer means for who sent the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// AA, CA: taken.
    Accepted,
    /// AE, CE: not taken for its content; sending it again changes nothing.
    Failed,
    /// AR, CR: not taken; the receiver cannot, or not now.
    Rejected,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it means.
    pub verdict: Verdict,
    /// MSA-1.
    pub code: String,
    /// MSA-2: the control id of what it answers.
    pub control_id: String,
    /// The condition of ERR-3, if it is one of table 0357.
    pub condition: Option<HL70357>,
    /// What was wrong, in the receiver's words (ERR-8, ERR-3, MSA-3).
    pub told: String,
}

impl Reply {
    /// Reads an answer; the error says why it is none.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let header = Header::read(text).map_err(|_| "the answer is no HL7 v2 message")?;
        let separator = header.separator();
        let segment = |name: &str| {
            let mut lines = text.split(['\r', '\n']).map(|line| line.split(separator));
            lines.find_map(|mut fields| {
                (fields.next() == Some(name)).then(|| fields.collect::<Vec<_>>())
            })
        };
        let msa = segment("MSA").ok_or("the answer has no MSA")?;
        let field = |fields: &[&str], number: usize| {
            fields.get(number - 1).copied().unwrap_or("").to_owned()
        };
        let code = field(&msa, 1);
        let verdict = match code.as_str() {
            "AA" | "CA" => Verdict::Accepted,
            "AE" | "CE" => Verdict::Failed,
            "AR" | "CR" => Verdict::Rejected,
            _ => return Err("MSA-1 of the answer is none of AA, AE, AR, CA, CE, CR"),
        };
        let err = segment("ERR").unwrap_or_default();
        let told = [
            field(&err, 8),
            field(&err, 3),
            field(&msa, 3),
            field(&err, 1),
        ];
        Ok(Self {
            verdict,
            code,
            control_id: field(&msa, 2),
            condition: condition(&field(&err, 3), header.component_separator()),
            told: told
                .into_iter()
                .find(|it| !it.is_empty())
                .unwrap_or_default(),
        })
    }
}

fn condition(field: &str, separator: char) -> Option<HL70357> {
    let number = field.split(separator).next()?.parse().ok()?;
    HL70357::numbered(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_understood() {
        let reply =
            Reply::read("MSH|^~\\&|||||||ACK|1|P|2.5\rMSA|AE|42\rERR|||101^x|E||||no type\r");
        let reply = reply.unwrap();
        assert_eq!(
            (reply.verdict, reply.code.as_str()),
            (Verdict::Failed, "AE")
        );
        assert_eq!(
            (reply.control_id.as_str(), reply.told.as_str()),
            ("42", "no type")
        );
        assert_eq!(Reply::read("x"), Err("the answer is no HL7 v2 message"));
        assert_eq!(Reply::read("MSH|^~\\&|\r"), Err("the answer has no MSA"));
    }
}
