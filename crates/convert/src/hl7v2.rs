//! HL7 v2 as a standard of its own: what a receiver of messages must know before and beside their
//! conversion. The header of a message, its characters, the answer to it, and batches.
//!
//! The elements of a message as templates see them are in `data::hl7v2`; here is only what the
//! control chapter (HL7 v2.9 chapter 2) asks of whoever takes a message. <https://www.hl7.eu/HL7v2x/v29/std29/ch02.html>

mod acknowledgment;
mod batch;
mod charset;
mod header;
mod reply;

pub use crate::data::hl7v2::segment_count;
pub use acknowledgment::{Acknowledgment, Code, Fault, HL70357, Mode, When};
pub use batch::{Batch, BatchFile, FileFrame, is_batch, messages};
pub use charset::{Charset, CharsetFault, names as charset_names};
pub use header::{Header, VERSIONS, patients};
pub use reply::{Reply, Verdict};
