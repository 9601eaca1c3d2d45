//! Content codings: gzip, deflate, br and zstd, both ways.
//!
//! Bodies are decoded while they arrive, into a sink that refuses what exceeds its limits, so that
//! a small body cannot become a huge one. RFC 9110 §8.4.1, RFC 7932, RFC 8878; zstd's window is
//! bounded as RFC 9659 demands.

use std::io::{self, Write};

use bytes::Bytes;
use fhir::{Fault, Issue};
use http::{HeaderMap, header};

use crate::media::parse_quality;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    Zstd,
    Brotli,
    Gzip,
    Deflate,
}

/// The codings by name, the preferred first: quick and small before widespread.
const CODINGS: [(&str, Coding); 5] = [
    ("zstd", Coding::Zstd),
    ("br", Coding::Brotli),
    ("gzip", Coding::Gzip),
    ("deflate", Coding::Deflate),
    ("x-gzip", Coding::Gzip),
];

/// Windows of up to 8 MiB (RFC 9659 §3).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
const ZSTD_LEVEL: i32 = 3;
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW_LOG: u32 = 20;
const DEFLATE_LEVEL: u32 = 4;
const BUFFER_BYTES: usize = 8 << 10;

impl Coding {
    /// Its name in headers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// The coding of an answer, by `Accept-Encoding`; `None` to leave it as it is.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
        let wanted = |part: &str| {
            let (name, quality) = part
                .split_once(';')
                .map_or((part, "1"), |(name, parameter)| {
                    let quality = parameter.trim();
                    (name, quality.strip_prefix("q=").unwrap_or("0"))
                });
            Some((
                name.trim().to_ascii_lowercase(),
                parse_quality(quality.trim())?,
            ))
        };
        let wanted: Vec<_> = text.split(',').filter_map(wanted).collect();
        let quality = |name: &str| {
            let of = |name: &str| wanted.iter().find(|(it, _)| it == name).map(|(_, q)| *q);
            of(name).or_else(|| of("*")).unwrap_or(0)
        };
        let rated = CODINGS
            .iter()
            .map(|(name, coding)| (quality(name), *coding));
        // The first of those with the greatest quality.
        let best = rated.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.filter(|(quality, _)| *quality > 0)
            .map(|(_, coding)| coding)
    }

    /// The coding of a request's body; `None` for a plain one.
    pub(crate) fn of_body(headers: &HeaderMap) -> Result<Option<Self>, Issue> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else {
            return Ok(None);
        };
        let name = value
            .to_str()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if name == "identity" {
            return Ok(None);
        }
        let known = CODINGS.iter().find(|(it, _)| *it == name);
        known.map(|(_, coding)| Some(*coding)).ok_or_else(|| {
            Issue::error(
                Fault::UnsupportedMediaType,
                "the body's content coding is not understood",
            )
            .at("http.Content-Encoding")
            .mend("use one of gzip, deflate, br and zstd, or none")
        })
    }

    /// The parts, one after the other, in this coding.
    pub(crate) fn encode(self, parts: &[Bytes]) -> Vec<u8> {
        let size: usize = parts.iter().map(Bytes::len).sum();
        let into = Vec::with_capacity(size / 4 + 64);
        self.try_encode(parts, into)
            .expect("writing into memory does not fail, and the levels are valid")
    }

    fn try_encode(self, parts: &[Bytes], into: Vec<u8>) -> io::Result<Vec<u8>> {
        let level = flate2::Compression::new(DEFLATE_LEVEL);
        match self {
            Self::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(into, ZSTD_LEVEL)?;
                write_all(&mut encoder, parts)?;
                encoder.finish()
            }
            Self::Brotli => {
                let (quality, window) = (BROTLI_QUALITY, BROTLI_WINDOW_LOG);
                let mut encoder =
                    brotli::CompressorWriter::new(into, BUFFER_BYTES, quality, window);
                write_all(&mut encoder, parts)?;
                Ok(encoder.into_inner())
            }
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(into, level);
                write_all(&mut encoder, parts)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(into, level);
                write_all(&mut encoder, parts)?;
                encoder.finish()
            }
        }
    }
}

fn write_all(into: &mut impl Write, parts: &[Bytes]) -> io::Result<()> {
    parts.iter().try_for_each(|part| into.write_all(part))
}

/// Decodes what is written to it into a sink.
pub(crate) enum Decoder<W: Write> {
    Plain(W),
    Zstd(Box<zstd::stream::write::Decoder<'static, W>>),
    Brotli(Box<brotli::DecompressorWriter<W>>),
    Gzip(Box<flate2::write::MultiGzDecoder<W>>),
    Deflate(Box<flate2::write::ZlibDecoder<W>>),
}

impl<W: Write> Decoder<W> {
    pub(crate) fn new(coding: Option<Coding>, sink: W) -> io::Result<Self> {
        Ok(match coding {
            None => Self::Plain(sink),
            Some(Coding::Zstd) => {
                let mut decoder = zstd::stream::write::Decoder::new(sink)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Self::Zstd(Box::new(decoder))
            }
            Some(Coding::Brotli) => Self::Brotli(Box::new(brotli::DecompressorWriter::new(
                sink,
                BUFFER_BYTES,
            ))),
            Some(Coding::Gzip) => Self::Gzip(Box::new(flate2::write::MultiGzDecoder::new(sink))),
            Some(Coding::Deflate) => Self::Deflate(Box::new(flate2::write::ZlibDecoder::new(sink))),
        })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(it) => it.write_all(bytes),
            Self::Zstd(it) => it.write_all(bytes),
            Self::Brotli(it) => it.write_all(bytes),
            Self::Gzip(it) => it.write_all(bytes),
            Self::Deflate(it) => it.write_all(bytes),
        }
    }

    /// Everything has been written; fails if the coded text is cut short.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(it) => it.flush(),
            Self::Zstd(it) => it.flush(),
            Self::Brotli(it) => it.close(),
            Self::Gzip(it) => it.try_finish(),
            Self::Deflate(it) => it.try_finish(),
        }
    }

    pub(crate) fn sink(&mut self) -> &mut W {
        match self {
            Self::Plain(it) => it,
            Self::Zstd(it) => it.get_mut(),
            Self::Brotli(it) => it.get_mut(),
            Self::Gzip(it) => it.get_mut(),
            Self::Deflate(it) => it.get_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coding_comes_back() {
        let parts = [
            Bytes::from_static(b"{\"a\":"),
            Bytes::from(vec![b'1'; 100_000]),
        ];
        let whole = parts.concat();
        for (name, coding) in CODINGS {
            let coded = coding.encode(&parts);
            assert!(coded.len() < whole.len() / 10, "{name}");
            let mut decoder = Decoder::new(Some(coding), Vec::new()).expect("valid");
            coded
                .chunks(7)
                .try_for_each(|chunk| decoder.write(chunk))
                .expect("valid");
            decoder.finish().expect("complete");
            assert!(*decoder.sink() == whole, "{name}");
        }
    }

    #[test]
    fn a_body_cut_short_is_noticed() {
        let parts = [Bytes::from(
            (0..50_000_u32)
                .flat_map(u32::to_le_bytes)
                .collect::<Vec<_>>(),
        )];
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
            let coded = coding.encode(&parts);
            let mut decoder = Decoder::new(Some(coding), Vec::new()).expect("valid");
            let written = decoder.write(&coded[..coded.len() / 2]);
            assert!(
                written.and_then(|()| decoder.finish()).is_err(),
                "{coding:?}"
            );
        }
    }

    #[test]
    fn quality_decides_and_then_our_order() {
        for (text, expected) in [
            ("gzip", Some(Coding::Gzip)),
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip;q=1.0, br;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("*", Some(Coding::Zstd)),
            ("*, zstd;q=0", Some(Coding::Brotli)),
            ("identity", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, text.parse().expect("valid"));
            assert_eq!(Coding::accepted(&headers), expected, "{text}");
        }
    }
}
