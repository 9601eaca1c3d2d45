//! Page tokens: where a result goes on, sealed so that clients can neither read nor change it.
//!
//! Encrypted and authenticated (XChaCha20-Poly1305) with a key that is a named row of the tenant,
//! and bound to tenant, caller, FHIR version and what was asked of; see
//! `docs/decisions/0006-page-tokens.md`. Nothing is held open between pages.

use std::fmt::Write as _;

use chacha20poly1305::aead::{Aead, Generate, Key, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use fhir::{Fault, Issue};
use search::query::PAGE;
use search::text::{append_pair, pairs};
use store::{
    After, At, Commit, NamedChange, NamedExpected, NamedKey, Precondition, Row, StoreError,
    TenantId,
};

use crate::{Caller, InteractionError, Interactions};

const KEY: &str = "interactions/page-key";
const NONCE_BYTES: usize = 24;

/// Where a result goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The ledger position of the first page.
    pub(crate) snapshot: u64,
    /// The place of the last row of the page before; in a history its position stands for the row.
    pub(crate) after: After,
    /// The matches on all pages before.
    pub(crate) shown: u64,
    /// The first page's total.
    pub(crate) total: Option<u64>,
    /// The whole query.
    pub(crate) query: String,
}

/// A page that was asked for.
pub(crate) struct Page {
    /// The query to run: the one in the token, or as given on the first page.
    pub(crate) query: String,
    /// Where to go on; `None` on the first page.
    pub(crate) cursor: Option<Cursor>,
    /// The parameters of layout in the request, which every link repeats.
    layout: String,
}

impl Page {
    /// The position of the first page, on a later one.
    pub(crate) fn snapshot(&self) -> Option<u64> {
        self.cursor.as_ref().map(|it| it.snapshot)
    }

    /// The matches on all pages before.
    pub(crate) fn shown(&self) -> u64 {
        self.cursor.as_ref().map_or(0, |it| it.shown)
    }

    /// The query text of this page's own link.
    pub(crate) fn own_link(&self, asked: &str, understood: &str) -> String {
        if self.cursor.is_some() {
            asked.to_owned()
        } else {
            understood.to_owned()
        }
    }
}

impl Interactions {
    /// The page that a query asks for. `scope` says what is asked of: a token of another scope is
    /// not valid.
    pub(crate) async fn page(
        &self,
        caller: &Caller,
        scope: &str,
        query: &str,
    ) -> Result<Page, InteractionError> {
        let mut layout = String::new();
        let mut token = None;
        let mut others = false;
        for (name, value) in pairs(query) {
            match (name.as_deref(), value) {
                (Some(PAGE), value) => token = Some(value.unwrap_or_default()),
                (Some(name @ ("_format" | "_pretty")), Some(value)) => {
                    append_pair(&mut layout, name, &value);
                }
                _ => others = true,
            }
        }
        let Some(token) = token else {
            return Ok(Page {
                query: query.to_owned(),
                cursor: None,
                layout,
            });
        };
        if others {
            let what =
                format!("`{PAGE}` stands for the whole query: no other parameter goes with it");
            return Err(Issue::error(Fault::Invalid, what)
                .at(format!("http.{PAGE}"))
                .into());
        }
        let key = self.page_key(&caller.tenant).await?;
        let cursor = open(&key, &binding(caller, scope), &token).ok_or_else(|| {
            let issue = Issue::error(Fault::Invalid, format!("`{PAGE}` is not valid here"));
            issue
                .at(format!("http.{PAGE}"))
                .mend("follow the link `next` as it is, or search anew")
        })?;
        Ok(Page {
            query: cursor.query.clone(),
            cursor: Some(cursor),
            layout,
        })
    }

    /// The query text that leads to the page after the given one.
    pub(crate) async fn next_link(
        &self,
        caller: &Caller,
        scope: &str,
        page: &Page,
        cursor: &Cursor,
    ) -> Result<String, InteractionError> {
        let key = self.page_key(&caller.tenant).await?;
        let mut link = page.layout.clone();
        append_pair(
            &mut link,
            PAGE,
            &seal(&key, &binding(caller, scope), cursor)?,
        );
        Ok(link)
    }

    /// The tenant's key, made when it is first needed.
    async fn page_key(
        &self,
        tenant: &TenantId,
    ) -> Result<Key<XChaCha20Poly1305>, InteractionError> {
        let name = NamedKey::from(KEY);
        loop {
            let view = self.store.view(tenant, At::Newest).await?;
            let row = view
                .named(std::slice::from_ref(&name))
                .await?
                .pop()
                .flatten();
            if let Some(row) = row {
                let bytes: Result<[u8; 32], _> = row.value.as_ref().try_into();
                let bytes =
                    bytes.map_err(|_| InteractionError::internal("the page key is damaged"))?;
                return Ok(bytes.into());
            }
            let value = Key::<XChaCha20Poly1305>::generate().to_vec().into();
            let put = NamedChange::Put {
                key: name.clone(),
                value,
                expires: None,
            };
            let absent = Precondition::Named {
                key: name.clone(),
                expected: NamedExpected::Absent,
            };
            let commit = Commit {
                named: vec![put],
                preconditions: vec![absent],
                ..Commit::default()
            };
            match self.store.commit(tenant, commit).await {
                // Another request was first: its key is the key.
                Ok(_) | Err(StoreError::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What a token is bound to.
fn binding(caller: &Caller, scope: &str) -> String {
    format!(
        "{}\n{}\n{}\n{scope}",
        caller.tenant,
        caller.version.slug(),
        caller.identity
    )
}

fn seal(
    key: &Key<XChaCha20Poly1305>,
    binding: &str,
    cursor: &Cursor,
) -> Result<String, InteractionError> {
    let plain = written(cursor);
    let nonce = XNonce::generate();
    let payload = Payload {
        msg: plain.as_bytes(),
        aad: binding.as_bytes(),
    };
    let sealed = XChaCha20Poly1305::new(key).encrypt(&nonce, payload);
    let sealed = sealed.map_err(|_| InteractionError::internal("a page token cannot be sealed"))?;
    let mut token = String::with_capacity(2 * (NONCE_BYTES + sealed.len()));
    to_hex(&nonce, &mut token);
    to_hex(&sealed, &mut token);
    Ok(token)
}

fn open(key: &Key<XChaCha20Poly1305>, binding: &str, token: &str) -> Option<Cursor> {
    let bytes = from_hex(token)?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
    let nonce = XNonce::try_from(nonce).ok()?;
    let payload = Payload {
        msg: sealed,
        aad: binding.as_bytes(),
    };
    let plain = XChaCha20Poly1305::new(key).decrypt(&nonce, payload).ok()?;
    read(std::str::from_utf8(&plain).ok()?)
}

/// `snapshot row shown total key…`, then the query on a line of its own. A key is in hexadecimal
/// digits after a `=`; `-` stands for none.
fn written(cursor: &Cursor) -> String {
    let Cursor {
        snapshot,
        after,
        shown,
        total,
        query,
    } = cursor;
    let total = total.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let row = after.row.0;
    // Of one length: that of a token tells nothing of how much is stored.
    let mut text = format!("{snapshot:020} {row:020} {shown} {total}");
    for key in &after.keys {
        match key {
            Some(key) => {
                text.push_str(" =");
                to_hex(key, &mut text);
            }
            None => text.push_str(" -"),
        }
    }
    text.push('\n');
    text.push_str(query);
    text
}

fn read(text: &str) -> Option<Cursor> {
    let (words, query) = text.split_once('\n')?;
    let mut words = words.split(' ');
    let mut number = || words.next()?.parse().ok();
    let (snapshot, row, shown) = (number()?, Row(number()?), number()?);
    let total = match words.next()? {
        "-" => None,
        total => Some(total.parse().ok()?),
    };
    let key = |word: &str| match word.strip_prefix('=') {
        Some(digits) => from_hex(digits).map(|it| Some(it.into())),
        None => Some(None),
    };
    Some(Cursor {
        snapshot,
        after: After {
            keys: words.map(key).collect::<Option<_>>()?,
            row,
        },
        shown,
        total,
        query: query.to_owned(),
    })
}

fn to_hex(bytes: &[u8], into: &mut String) {
    for byte in bytes {
        write!(into, "{byte:02x}").expect("writing to a String does not fail");
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_with_its_key_and_binding_only() {
        let (key, other) = (
            Key::<XChaCha20Poly1305>::generate(),
            Key::<XChaCha20Poly1305>::generate(),
        );
        let cursor = Cursor {
            snapshot: 5,
            after: After {
                keys: vec![Some(Box::from(*b"a\0\xff")), None, Some(Box::default())],
                row: Row(9),
            },
            shown: 20,
            total: Some(3),
            query: "_id=ä\n".to_owned(),
        };
        let token = seal(&key, "mine", &cursor).unwrap();
        assert_eq!(open(&key, "mine", &token), Some(cursor.clone()));
        assert_eq!(open(&key, "yours", &token), None);
        assert_eq!(open(&other, "mine", &token), None);
        for at in [0, token.len() / 2, token.len() - 1] {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(
                open(&key, "mine", std::str::from_utf8(&changed).unwrap()),
                None
            );
        }
        for malformed in ["", "0", "zz", "00", "ä", &token[..20]] {
            assert_eq!(open(&key, "mine", malformed), None);
        }
        assert_ne!(
            seal(&key, "mine", &cursor).unwrap(),
            token,
            "each token has its own nonce"
        );
    }
}
