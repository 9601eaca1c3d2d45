//! Filters of dates.

use fhir::decimal::Rounding;

use super::moment::{self, Moment, Time};
use super::{argument, rendering};
use crate::error::{ConvertError, ErrorKind, Result};
use crate::render::Renderer;
use crate::value::{Value, compare, print};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// .NET's standard formats in the invariant culture, as custom ones.
const STANDARD: &[(&str, &str)] = &[
    ("d", "MM/dd/yyyy"),
    ("D", "dddd, dd MMMM yyyy"),
    ("f", "dddd, dd MMMM yyyy HH:mm"),
    ("F", "dddd, dd MMMM yyyy HH:mm:ss"),
    ("g", "MM/dd/yyyy HH:mm"),
    ("G", "MM/dd/yyyy HH:mm:ss"),
    ("m", "MMMM dd"),
    ("M", "MMMM dd"),
    ("o", "yyyy-MM-ddTHH:mm:ss.fffffffK"),
    ("O", "yyyy-MM-ddTHH:mm:ss.fffffffK"),
    ("r", "ddd, dd MMM yyyy HH:mm:ss 'GMT'"),
    ("R", "ddd, dd MMM yyyy HH:mm:ss 'GMT'"),
    ("s", "yyyy-MM-ddTHH:mm:ss"),
    ("t", "HH:mm"),
    ("T", "HH:mm:ss"),
    ("u", "yyyy-MM-dd HH:mm:ss'Z'"),
    ("y", "yyyy MMMM"),
    ("Y", "yyyy MMMM"),
];

/// What to do with the zone of a value.
#[derive(Clone, Copy, PartialEq)]
enum Zone {
    Preserve,
    Utc,
    Local,
}

fn zone(arguments: &[Value<'_>]) -> Result<Zone> {
    match arguments.first() {
        None => Ok(Zone::Preserve),
        Some(value) => match value.as_text().unwrap_or_default().to_lowercase().as_str() {
            "preserve" => Ok(Zone::Preserve),
            "utc" => Ok(Zone::Utc),
            "local" => Ok(Zone::Local),
            _ => {
                let what = "time zones are treated as `preserve`, `utc` or `local`";
                Err(ConvertError::new(ErrorKind::Zone, what))
            }
        },
    }
}

fn bad_date() -> ConvertError {
    ConvertError::new(ErrorKind::Date, "a date is not of its format")
}

/// The input's text; none if there is nothing.
fn text<'a>(renderer: &Renderer<'a>, value: Value<'a>) -> Option<&'a str> {
    let text = print::text(value, renderer.arena).as_str();
    (!text.trim().is_empty()).then_some(text)
}

/// The moment in the zone that is asked for; one without a zone is in the configured one.
fn zoned<'t>(renderer: &Renderer<'_>, moment: Moment<'t>, zone: Zone) -> Moment<'t> {
    let local = i64::from(renderer.settings.zone_offset_minutes.unwrap_or(0));
    let moment = Moment {
        offset: moment.offset.or(Some(local)),
        ..moment
    };
    match zone {
        Zone::Preserve => moment,
        Zone::Utc => moment.at_offset(0),
        Zone::Local => moment.at_offset(local),
    }
}

fn made<'a>(renderer: &Renderer<'a>, text: &str) -> Value<'a> {
    Value::plain(renderer.arena.alloc_str(text))
}

pub(super) fn format_as_date_time<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let zone = zone(arguments)?;
    let Some(text) = text(renderer, value) else {
        return Ok(value);
    };
    let moment = Moment::parse_hl7v2(text).ok_or_else(bad_date)?;
    Ok(made(renderer, &zoned(renderer, moment, zone).fhir()))
}

pub(super) fn add_hyphens_date<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let zone = zone(arguments)?;
    let Some(text) = text(renderer, value) else {
        return Ok(value);
    };
    let moment = Moment::parse_hl7v2(text).ok_or_else(bad_date)?;
    Ok(made(renderer, &zoned(renderer, moment, zone).fhir_date()))
}

pub(super) fn format_as_hl7v2_date_time<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let zone = zone(arguments)?;
    let Some(text) = text(renderer, value) else {
        return Ok(value);
    };
    let moment = Moment::parse_fhir(text).ok_or_else(bad_date)?;
    Ok(made(renderer, &zoned(renderer, moment, zone).hl7v2()))
}

/// Of a FHIR date or time, so many seconds later, to the millisecond.
pub(super) fn add_seconds<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let zone = zone(arguments.get(1..).unwrap_or_default())?;
    let Some(text) = text(renderer, value) else {
        return Ok(value);
    };
    let moment = Moment::parse_fhir(text).ok_or_else(bad_date)?;
    let seconds = match argument(arguments, 0) {
        Value::Null => Some(0.into()),
        other => compare::decimal(other),
    };
    let milliseconds = seconds
        .and_then(|it| it.checked_mul(1000.into()))
        .and_then(|it| it.round(0, Rounding::HalfAwayFromZero).to_i64())
        .ok_or_else(bad_date)?;
    let (later, fraction) = after(&moment, milliseconds);
    let later = match (later.time, &*fraction) {
        (Some(time), fraction) if !fraction.is_empty() => Moment {
            time: Some(Time { fraction, ..time }),
            ..later
        },
        _ => later,
    };
    let later = zoned(renderer, later, zone);
    if !(1..=9999).contains(&later.year) {
        return Err(bad_date());
    }
    Ok(made(renderer, &later.fhir()))
}

/// The moment so many milliseconds later; its milliseconds, if they are not those it had.
fn after<'t>(moment: &Moment<'t>, milliseconds: i64) -> (Moment<'t>, String) {
    if milliseconds % 1000 == 0 {
        return (moment.plus_seconds(milliseconds / 1000), String::new());
    }
    let fraction = moment.time.map_or("", |it| it.fraction);
    let before: i64 = format!("{fraction:0<3.3}").parse().unwrap_or(0);
    let sum = before.saturating_add(milliseconds);
    (
        moment.plus_seconds(sum.div_euclid(1000)),
        format!("{:03}", sum.rem_euclid(1000)),
    )
}

/// The time that the conversion was given, in UTC.
pub(super) fn now<'a>(
    renderer: &mut Renderer<'a>,
    _: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let now = renderer.settings.now.to_string();
    let moment = Moment::parse_fhir(&now).ok_or_else(bad_date)?;
    let format = argument(arguments, 0).as_text();
    let text = formatted(&moment, format.unwrap_or("yyyy-MM-ddTHH:mm:ss.FFFZ"))?;
    Ok(made(renderer, &text))
}

/// What cannot be read comes back as it is.
pub(super) fn date<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let format = print::text(argument(arguments, 0), renderer.arena).as_str();
    let Some(text) = text(renderer, value).filter(|_| !format.is_empty()) else {
        return Ok(value);
    };
    let now = renderer.settings.now.to_string();
    let text = match text {
        "now" | "today" => &now,
        other => other,
    };
    match Moment::parse_fhir(text).or_else(|| american(text)) {
        Some(moment) => Ok(made(renderer, &formatted(&moment, format)?)),
        None => Ok(value),
    }
}

/// `MM/dd/yyyy`, which the invariant culture reads.
fn american(text: &str) -> Option<Moment<'static>> {
    let parts: Vec<u32> = text
        .split('/')
        .map(|it| it.parse().ok())
        .collect::<Option<_>>()?;
    let [month, day, year] = parts[..] else {
        return None;
    };
    let iso = format!("{year:04}-{month:02}-{day:02}");
    let moment = Moment::parse_fhir(&iso)?;
    Some(Moment {
        time: None,
        year: moment.year,
        month: moment.month,
        day: moment.day,
        offset: None,
    })
}

/// A moment in a format of .NET.
fn formatted(moment: &Moment<'_>, format: &str) -> Result<String> {
    let standard = STANDARD.iter().find(|(name, _)| *name == format);
    let format = standard.map_or(format, |(_, custom)| custom);
    let mut out = String::new();
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let count = rest.chars().take_while(|it| *it == c).count();
        let taken = match c {
            '\'' | '"' => {
                let inner = rest[1..].split(c).next().unwrap_or_default();
                out.push_str(inner);
                (inner.len() + 2).min(rest.len())
            }
            '\\' => {
                let escaped = rest[1..].chars().next();
                out.extend(escaped);
                1 + escaped.map_or(0, char::len_utf8)
            }
            '%' => 1,
            _ => {
                let count = if "dfFghHKmMstyz".contains(c) {
                    count
                } else {
                    1
                };
                specifier(moment, c, count, &mut out)?;
                count * c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    Ok(out)
}

fn specifier(moment: &Moment<'_>, c: char, count: usize, out: &mut String) -> Result<()> {
    let time = moment.time.unwrap_or(Time {
        hour: 0,
        minute: 0,
        second: 0,
        fraction: "",
    });
    let (month, day) = (moment.month.unwrap_or(1), moment.day.unwrap_or(1));
    let month_name = MONTHS[usize::from(month) - 1];
    let weekday = WEEKDAYS[moment.weekday()];
    let twelve = (time.hour + 11) % 12 + 1;
    let number = |number: i64, width: usize| format!("{number:0width$}");
    let text = match (c, count) {
        ('d', 1 | 2) => number(day.into(), count),
        ('d', 3) => weekday[..3].to_owned(),
        ('d', _) => weekday.to_owned(),
        ('M', 1 | 2) => number(month.into(), count),
        ('M', 3) => month_name[..3].to_owned(),
        ('M', _) => month_name.to_owned(),
        ('y', 1 | 2) => number(moment.year % 100, count),
        ('y', _) => number(moment.year, count),
        ('H', _) => number(time.hour.into(), count.min(2)),
        ('h', _) => number(twelve.into(), count.min(2)),
        ('m', _) => number(time.minute.into(), count.min(2)),
        ('s', _) => number(time.second.into(), count.min(2)),
        ('t', 1) => if time.hour < 12 { "A" } else { "P" }.to_owned(),
        ('t', _) => if time.hour < 12 { "AM" } else { "PM" }.to_owned(),
        ('f' | 'F', 8..) => return Err(rendering("a date's format has too many digits")),
        ('f', _) => format!("{:0<count$.count$}", time.fraction),
        ('F', _) => {
            let digits = format!("{:.count$}", time.fraction);
            let digits = digits.trim_end_matches('0');
            if digits.is_empty() && out.ends_with('.') {
                out.pop();
            }
            digits.to_owned()
        }
        ('K', _) => moment
            .offset
            .map_or_else(String::new, |it| moment::zone(it, ":")),
        ('z', 1 | 2) => {
            let hours = moment.offset.unwrap_or(0) / 60;
            let sign = if hours < 0 { '-' } else { '+' };
            format!("{sign}{:0count$}", hours.abs())
        }
        ('z', _) => moment::signed(moment.offset.unwrap_or(0), ":"),
        (other, _) => other.to_string(),
    };
    out.push_str(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_net() {
        let moment = Moment::parse_fhir("2013-04-05T16:07:08.120+02:00").unwrap();
        for (format, expected) in [
            ("yyyy-MM-ddTHH:mm:ss.fff%K", "2013-04-05T16:07:08.120+02:00"),
            ("yyyy-MM-dd", "2013-04-05"),
            ("d/M/yy h:m:s tt", "5/4/13 4:7:8 PM"),
            ("ddd, dd MMM yyyy", "Fri, 05 Apr 2013"),
            ("HH:mm:ss.FFFF zzz", "16:07:08.12 +02:00"),
            ("'day' d \\d", "day 5 d"),
            ("s", "2013-04-05T16:07:08"),
        ] {
            assert_eq!(formatted(&moment, format).unwrap(), expected, "{format}");
        }
    }
}
