//! Dates and times of HL7 v2 (§2A.3.22 DTM) and FHIR, with the precision they were given in.

use std::fmt::Write;

use fhir::primitive::temporal::days_in_month;

const MINUTES_PER_DAY: i64 = 1440;

/// A date, perhaps with time and zone; parts that were not given are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment<'t> {
    pub(super) year: i64,
    pub(super) month: Option<u8>,
    pub(super) day: Option<u8>,
    pub(super) time: Option<Time<'t>>,
    /// Minutes east of UTC.
    pub(super) offset: Option<i64>,
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time<'t> {
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    /// The digits after the point, as given.
    pub(super) fraction: &'t str,
}

/// Takes so many digits off as a number below a bound.
fn digits(text: &mut &str, count: usize, below: u32) -> Option<u32> {
    let taken = text.get(..count)?;
    if !taken.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    *text = &text[count..];
    taken.parse().ok().filter(|it| *it < below)
}

fn small(text: &mut &str, below: u32) -> Option<u8> {
    digits(text, 2, below).and_then(|it| u8::try_from(it).ok())
}

/// Takes a character off, if it is there.
fn accept(text: &mut &str, c: char) -> bool {
    match text.strip_prefix(c) {
        Some(rest) => {
            *text = rest;
            true
        }
        None => false,
    }
}

fn fraction<'t>(text: &mut &'t str) -> &'t str {
    if !text.starts_with('.') {
        return "";
    }
    let after = &text[1..];
    let end = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    *text = &after[end..];
    &after[..end]
}

/// `Z` or `±hhmm`, with a colon or without; what is no zone is left over.
pub(super) fn offset(text: &mut &str) -> Option<i64> {
    let mut rest = *text;
    if accept(&mut rest, 'Z') {
        *text = rest;
        return Some(0);
    }
    let sign = if accept(&mut rest, '-') {
        -1
    } else {
        accept(&mut rest, '+').then_some(1)?
    };
    let hours = digits(&mut rest, 2, 24)?;
    accept(&mut rest, ':');
    let minutes = digits(&mut rest, 2, 60)?;
    *text = rest;
    Some(sign * (i64::from(hours) * 60 + i64::from(minutes)))
}

impl<'t> Moment<'t> {
    /// `yyyy[MM[dd[HH[mm[ss[.f…]]]]]][±hhmm]`
    pub(super) fn parse_hl7v2(text: &'t str) -> Option<Self> {
        let mut rest = text.trim();
        let year = digits(&mut rest, 4, 10_000)?;
        let more = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        let mut moment = Self::of_year(year.into());
        if more(rest) {
            moment.month = Some(small(&mut rest, 13)?);
            if more(rest) {
                moment.day = Some(small(&mut rest, 32)?);
                if more(rest) {
                    moment.time = Some(Self::time_hl7v2(&mut rest)?);
                }
            }
        }
        moment.offset = offset(&mut rest);
        (rest.is_empty() && moment.is_real()).then_some(moment)
    }

    fn time_hl7v2(rest: &mut &'t str) -> Option<Time<'t>> {
        let more = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        let hour = small(rest, 24)?;
        let minute = if more(rest) { small(rest, 60)? } else { 0 };
        let second = if more(rest) { small(rest, 61)? } else { 0 };
        Some(Time {
            hour,
            minute,
            second,
            fraction: fraction(rest),
        })
    }

    /// A FHIR `date` or `dateTime`; the zone may be missing, and a space may stand for the `T`.
    pub(super) fn parse_fhir(text: &'t str) -> Option<Self> {
        let mut rest = text.trim();
        let year = digits(&mut rest, 4, 10_000)?;
        let mut moment = Self::of_year(year.into());
        if accept(&mut rest, '-') {
            moment.month = Some(small(&mut rest, 13)?);
            if accept(&mut rest, '-') {
                moment.day = Some(small(&mut rest, 32)?);
                if accept(&mut rest, 'T') || accept(&mut rest, ' ') {
                    moment.time = Some(Self::time_fhir(&mut rest)?);
                    moment.offset = offset(&mut rest);
                }
            }
        }
        (rest.is_empty() && moment.is_real()).then_some(moment)
    }

    fn time_fhir(rest: &mut &'t str) -> Option<Time<'t>> {
        let hour = small(rest, 24)?;
        accept(rest, ':').then_some(())?;
        let minute = small(rest, 60)?;
        let second = if accept(rest, ':') {
            small(rest, 61)?
        } else {
            0
        };
        Some(Time {
            hour,
            minute,
            second,
            fraction: fraction(rest),
        })
    }

    fn of_year(year: i64) -> Self {
        Self {
            year,
            month: None,
            day: None,
            time: None,
            offset: None,
        }
    }

    fn is_real(&self) -> bool {
        let year = i32::try_from(self.year).unwrap_or(0);
        let month = self.month.unwrap_or(1);
        let day = self.day.unwrap_or(1);
        year > 0 && month > 0 && day > 0 && day <= days_in_month(year, month)
    }

    /// The same moment with the clock of another zone; a date without a time stays as it is.
    pub(super) fn at_offset(&self, offset: i64) -> Self {
        let (Some(_), Some(from)) = (self.time, self.offset) else {
            return *self;
        };
        Self {
            offset: Some(offset),
            ..self.plus_seconds((offset - from) * 60)
        }
    }

    /// The clock so many seconds later.
    pub(super) fn plus_seconds(&self, seconds: i64) -> Self {
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let (hour, minute, second, fraction) = self.time.map_or((0, 0, 0, ""), |it| {
            (it.hour, it.minute, it.second, it.fraction)
        });
        let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let total = days_from_civil(self.year, month.into(), day.into()) * MINUTES_PER_DAY * 60;
        let total = total.saturating_add(of_day).saturating_add(seconds);
        let (days, of_day) = (total.div_euclid(86_400), total.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let part = |it: i64| u8::try_from(it).unwrap_or(0);
        Self {
            year,
            month: Some(month),
            day: Some(day),
            time: Some(Time {
                hour: part(of_day / 3600),
                minute: part(of_day / 60 % 60),
                second: part(of_day % 60),
                fraction,
            }),
            offset: self.offset,
        }
    }

    /// As FHIR writes it, as precise as it is.
    pub(super) fn fhir(&self) -> String {
        let mut text = self.fhir_date();
        if let Some(time) = self.time {
            let Time {
                hour,
                minute,
                second,
                fraction,
            } = time;
            add(
                &mut text,
                format_args!("T{hour:02}:{minute:02}:{second:02}"),
            );
            if !fraction.is_empty() {
                add(&mut text, format_args!(".{fraction}"));
            }
            text.push_str(&zone(self.offset.unwrap_or(0), ":"));
        }
        text
    }

    /// The date as FHIR writes it.
    pub(super) fn fhir_date(&self) -> String {
        let mut text = format!("{:04}", self.year);
        if let Some(month) = self.month {
            add(&mut text, format_args!("-{month:02}"));
        }
        if let Some(day) = self.day {
            add(&mut text, format_args!("-{day:02}"));
        }
        text
    }

    /// As HL7 v2 writes it, as precise as it is.
    pub(super) fn hl7v2(&self) -> String {
        let mut text = self.fhir_date().replace('-', "");
        if let Some(time) = self.time {
            let (hour, minute, second) = (time.hour, time.minute, time.second);
            add(&mut text, format_args!("{hour:02}{minute:02}{second:02}"));
            if !time.fraction.is_empty() {
                add(&mut text, format_args!(".{}", time.fraction));
            }
            if let Some(offset) = self.offset {
                text.push_str(&signed(offset, ""));
            }
        }
        text
    }

    /// The weekday, Sunday as 0.
    pub(super) fn weekday(&self) -> usize {
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let days = days_from_civil(self.year, month.into(), day.into());
        usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0)
    }
}

fn add(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what)
        .expect("writing to a string cannot fail");
}

/// `Z` or `±hh:mm`
pub(super) fn zone(offset: i64, colon: &str) -> String {
    if offset == 0 {
        "Z".to_owned()
    } else {
        signed(offset, colon)
    }
}

/// `±hh:mm`
pub(super) fn signed(offset: i64, colon: &str) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs();
    format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
}

/// Days since 1970-01-01 of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + i64::from(month <= 2);
    let part = |it: i64| u8::try_from(it).unwrap_or(1);
    (year, part(month), part(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_keep_their_precision() {
        for (text, expected) in [
            ("2004", Some("2004")),
            ("200406", Some("2004-06")),
            ("20040629", Some("2004-06-29")),
            ("2004062917", Some("2004-06-29T17:00:00Z")),
            (
                "20040629175400.120-0430",
                Some("2004-06-29T17:54:00.120-04:30"),
            ),
            ("20040629175400+0000", Some("2004-06-29T17:54:00Z")),
            ("20040631", None),
            ("2004-06", None),
            ("x", None),
        ] {
            let moment = Moment::parse_hl7v2(text).map(|it| it.fhir());
            assert_eq!(moment.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn clocks_move_over_days() {
        let moment = Moment::parse_fhir("2020-02-28T23:30:00.5+01:00").unwrap();
        assert_eq!(moment.at_offset(180).fhir(), "2020-02-29T01:30:00.5+03:00");
        assert_eq!(
            moment.plus_seconds(-86_400).fhir(),
            "2020-02-27T23:30:00.5+01:00"
        );
        assert_eq!(moment.hl7v2(), "20200228233000.5+0100");
        assert_eq!(moment.weekday(), 5);
    }
}
