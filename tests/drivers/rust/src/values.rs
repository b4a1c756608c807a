//! Values as types.json writes them, and as the driver has them.
use std::net::IpAddr;
use std::str::FromStr;

use num_bigint::BigInt;
use scylla::value::{CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlValue, CqlVarint};
use serde_json::{json, Value};
use uuid::Uuid;

use crate::Fallible;

pub struct CqlType {
    name: String,
    of: Vec<CqlType>,
}

/// The user-defined types of types.json.
const FIELDS: [(&str, &[(&str, &str)]); 2] = [
    ("address", &[("street", "text"), ("zip", "int")]),
    ("person", &[("name", "text"), ("home", "address"), ("phones", "set<text>"), ("at", "tuple<int, text>")]),
];

fn fields(name: &str) -> &'static [(&'static str, &'static str)] {
    FIELDS.iter().find(|f| f.0 == name).map(|f| f.1).unwrap_or_default()
}

fn unhex(text: &str) -> Fallible<Vec<u8>> {
    (0..text.len()).step_by(2).map(|i| Ok(u8::from_str_radix(&text[i..i + 2], 16)?)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl CqlType {
    pub fn parse(text: &str) -> CqlType {
        let Some(at) = text.find('<') else {
            let of = fields(text).iter().map(|f| CqlType::parse(f.1)).collect();
            return CqlType { name: text.to_string(), of };
        };
        let (mut parts, mut depth) = (vec![String::new()], 0);
        for c in text[at + 1..text.len() - 1].chars() {
            depth += i32::from(c == '<') - i32::from(c == '>');
            if c == ',' && depth == 0 {
                parts.push(String::new());
            } else if let Some(part) = parts.last_mut() {
                part.push(c);
            }
        }
        let mut of: Vec<CqlType> = parts.iter().map(|p| CqlType::parse(p.trim())).collect();
        match &text[..at] {
            "frozen" => of.remove(0),
            name => CqlType { name: name.to_string(), of },
        }
    }

    fn elements(&self, value: &Value) -> Fallible<Vec<CqlValue>> {
        crate::items(value).iter().map(|v| self.of[0].native(v)?.ok_or_else(|| "null element".into())).collect()
    }

    fn components(&self, value: &Value) -> Fallible<Vec<Option<CqlValue>>> {
        crate::items(value).iter().zip(&self.of).map(|(v, of)| of.native(v)).collect()
    }

    pub fn native(&self, value: &Value) -> Fallible<Option<CqlValue>> {
        if value.is_null() {
            return Ok(None);
        }
        let text = crate::text(value);
        let number = || i64::from_str(text);
        Ok(Some(match self.name.as_str() {
            "ascii" => CqlValue::Ascii(text.to_string()),
            "text" | "varchar" => CqlValue::Text(text.to_string()),
            "boolean" => CqlValue::Boolean(value.as_bool().ok_or("not a boolean")?),
            "blob" => CqlValue::Blob(unhex(text)?),
            "tinyint" => CqlValue::TinyInt(text.parse()?),
            "smallint" => CqlValue::SmallInt(text.parse()?),
            "int" => CqlValue::Int(text.parse()?),
            "bigint" => CqlValue::BigInt(number()?),
            "varint" => CqlValue::Varint(CqlVarint::from(BigInt::from_str(text)?)),
            "decimal" => {
                let (unscaled, scale) = text.split_once('/').ok_or("not a decimal")?;
                let bytes = BigInt::from_str(unscaled)?.to_signed_bytes_be();
                CqlValue::Decimal(CqlDecimal::from_signed_be_bytes_and_exponent(bytes, scale.parse()?))
            }
            "float" => CqlValue::Float(f32::from_bits(u32::from_str_radix(text, 16)?)),
            "double" => CqlValue::Double(f64::from_bits(u64::from_str_radix(text, 16)?)),
            "date" => CqlValue::Date(CqlDate((number()? + (1 << 31)) as u32)),
            "time" => CqlValue::Time(CqlTime(number()?)),
            "timestamp" => CqlValue::Timestamp(CqlTimestamp(number()?)),
            "uuid" => CqlValue::Uuid(Uuid::parse_str(text)?),
            "timeuuid" => CqlValue::Timeuuid(CqlTimeuuid::from_str(text)?),
            "inet" => CqlValue::Inet(match <[u8; 4]>::try_from(unhex(text)?) {
                Ok(four) => IpAddr::from(four),
                Err(bytes) => IpAddr::from(<[u8; 16]>::try_from(bytes).map_err(|_| "not an address")?),
            }),
            "duration" => {
                let parts: Vec<&str> = text.split(',').collect();
                CqlValue::Duration(CqlDuration {
                    months: parts[0].parse()?,
                    days: parts[1].parse()?,
                    nanoseconds: parts[2].parse()?,
                })
            }
            "list" => CqlValue::List(self.elements(value)?),
            "set" => CqlValue::Set(self.elements(value)?),
            "vector" => CqlValue::Vector(self.elements(value)?),
            "map" => {
                let mut out = vec![];
                for pair in crate::items(value) {
                    let key = self.of[0].native(&pair[0])?.ok_or("null key")?;
                    out.push((key, self.of[1].native(&pair[1])?.ok_or("null value")?));
                }
                CqlValue::Map(out)
            }
            "tuple" => CqlValue::Tuple(self.components(value)?),
            name => CqlValue::UserDefinedType {
                keyspace: "d".to_string(),
                name: name.to_string(),
                fields: fields(name).iter().map(|f| f.0.to_string()).zip(self.components(value)?).collect(),
            },
        }))
    }

    fn plain_all(&self, values: Vec<CqlValue>) -> Fallible<Value> {
        values.into_iter().map(|v| self.of[0].plain(Some(v))).collect()
    }

    pub fn plain(&self, value: Option<CqlValue>) -> Fallible<Value> {
        let Some(value) = value else {
            return Ok(Value::Null);
        };
        Ok(match value {
            CqlValue::Ascii(text) | CqlValue::Text(text) => json!(text),
            CqlValue::Boolean(b) => json!(b),
            CqlValue::Blob(bytes) => json!(hex(&bytes)),
            CqlValue::TinyInt(n) => json!(n.to_string()),
            CqlValue::SmallInt(n) => json!(n.to_string()),
            CqlValue::Int(n) => json!(n.to_string()),
            CqlValue::BigInt(n) => json!(n.to_string()),
            CqlValue::Varint(n) => json!(BigInt::from(n).to_string()),
            CqlValue::Decimal(d) => {
                let (bytes, scale) = d.as_signed_be_bytes_slice_and_exponent();
                json!(format!("{}/{scale}", BigInt::from_signed_bytes_be(bytes)))
            }
            CqlValue::Float(f) => json!(format!("{:08x}", f.to_bits())),
            CqlValue::Double(f) => json!(format!("{:016x}", f.to_bits())),
            CqlValue::Date(d) => json!((i64::from(d.0) - (1 << 31)).to_string()),
            CqlValue::Time(t) => json!(t.0.to_string()),
            CqlValue::Timestamp(t) => json!(t.0.to_string()),
            CqlValue::Uuid(id) => json!(id.to_string()),
            CqlValue::Timeuuid(id) => json!(id.to_string()),
            CqlValue::Inet(IpAddr::V4(address)) => json!(hex(&address.octets())),
            CqlValue::Inet(IpAddr::V6(address)) => json!(hex(&address.octets())),
            CqlValue::Duration(d) => json!(format!("{},{},{}", d.months, d.days, d.nanoseconds)),
            CqlValue::List(values) | CqlValue::Set(values) | CqlValue::Vector(values) => self.plain_all(values)?,
            CqlValue::Map(pairs) => {
                let mut out = vec![];
                for (k, v) in pairs {
                    out.push(json!([self.of[0].plain(Some(k))?, self.of[1].plain(Some(v))?]));
                }
                json!(out)
            }
            CqlValue::Tuple(values) => {
                values.into_iter().zip(&self.of).map(|(v, of)| of.plain(v)).collect::<Fallible<_>>()?
            }
            CqlValue::UserDefinedType { fields, .. } => {
                fields.into_iter().zip(&self.of).map(|((_, v), of)| of.plain(v)).collect::<Fallible<_>>()?
            }
            other => return Err(format!("unexpected {other:?}").into()),
        })
    }
}
