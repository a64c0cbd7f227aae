//! Volume sizes as expressions of the quota, for example `max(2Gi, quota / 10)`.

use std::fmt;
use std::str::FromStr;

use super::Bytes;

/// A size as an expression of the quota: whole numbers with or without a unit, `quota`, `+ - * /`,
/// parentheses, `max(a, b, ...)` and `min(a, b, ...)`. Division rounds down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeExpression {
    text: String,
    root: Node,
}

/// Why a text is no size expression, or has no value for some quota.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// The text does not follow the grammar.
    #[error("{text:?}, character {position}: {problem}; write for example quota, 5Gi or max(2Gi, quota / 10)")]
    Syntax {
        /// The whole expression.
        text: String,
        /// Where reading stopped, counted from 1.
        position: usize,
        /// What was found or missed there.
        problem: String,
    },
    /// The expression has no positive value that fits for this quota.
    #[error("{text:?} has no usable value for a quota of {quota}: {problem}")]
    Value {
        /// The whole expression.
        text: String,
        /// The quota it was computed for.
        quota: Bytes,
        /// What went wrong.
        problem: &'static str,
    },
}

/// The longest expression, in bytes; it also bounds how deep parsing recurses.
const LONGEST: usize = 120;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Quota,
    Number(i128),
    Operation(Operator, Box<Node>, Box<Node>),
    Maximum(Vec<Node>),
    Minimum(Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl SizeExpression {
    /// The size for this quota.
    ///
    /// # Errors
    /// When the value is zero, negative or too large, or something is divided by zero.
    pub fn evaluate(&self, quota: Bytes) -> Result<Bytes, ExpressionError> {
        let error = |problem| ExpressionError::Value { text: self.text.clone(), quota, problem };
        let value = self.root.evaluate(i128::from(quota.get())).map_err(error)?;
        match u64::try_from(value) {
            Ok(0) => Err(error("it is 0")),
            Ok(bytes) if i64::try_from(bytes).is_ok() => Ok(Bytes::new(bytes)),
            Ok(_) => Err(error("it is larger than any volume")),
            Err(_) => Err(error(if value < 0 { "it is negative" } else { "it is larger than any volume" })),
        }
    }
}

impl Node {
    fn evaluate(&self, quota: i128) -> Result<i128, &'static str> {
        let each = |nodes: &[Self]| nodes.iter().map(|node| node.evaluate(quota)).collect::<Result<Vec<_>, _>>();
        match self {
            Self::Quota => Ok(quota),
            Self::Number(number) => Ok(*number),
            Self::Maximum(nodes) => each(nodes)?.into_iter().max().ok_or("max() of nothing"),
            Self::Minimum(nodes) => each(nodes)?.into_iter().min().ok_or("min() of nothing"),
            Self::Operation(operator, left, right) => {
                let (left, right) = (left.evaluate(quota)?, right.evaluate(quota)?);
                match operator {
                    Operator::Add => left.checked_add(right).ok_or("it is too large"),
                    Operator::Subtract => left.checked_sub(right).ok_or("it is too small"),
                    Operator::Multiply => left.checked_mul(right).ok_or("it is too large"),
                    Operator::Divide => left.checked_div(right).ok_or("something is divided by zero"),
                }
            }
        }
    }
}

impl FromStr for SizeExpression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parser = Parser { text, position: 0 };
        if text.len() > LONGEST {
            return Err(parser.error("it is longer than 120 characters"));
        }
        let root = parser.sum()?;
        parser.skip_spaces();
        if parser.position < text.len() {
            return Err(parser.error("an operator or the end was expected"));
        }
        Ok(Self { text: text.to_owned(), root })
    }
}

impl fmt::Display for SizeExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

struct Parser<'t> {
    text: &'t str,
    position: usize,
}

impl Parser<'_> {
    fn error(&self, problem: &str) -> ExpressionError {
        ExpressionError::Syntax { text: self.text.to_owned(), position: self.position + 1, problem: problem.to_owned() }
    }

    fn rest(&self) -> &str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        self.position += self.rest().len() - self.rest().trim_start_matches(' ').len();
    }

    fn take(&mut self, symbol: char) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(symbol);
        if found {
            self.position += symbol.len_utf8();
        }
        found
    }

    fn sum(&mut self) -> Result<Node, ExpressionError> {
        let mut left = self.product()?;
        loop {
            let operator = if self.take('+') {
                Operator::Add
            } else if self.take('-') {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            left = Node::Operation(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Node, ExpressionError> {
        let mut left = self.operand()?;
        loop {
            let operator = if self.take('*') {
                Operator::Multiply
            } else if self.take('/') {
                Operator::Divide
            } else {
                return Ok(left);
            };
            left = Node::Operation(operator, Box::new(left), Box::new(self.operand()?));
        }
    }

    fn operand(&mut self) -> Result<Node, ExpressionError> {
        if self.take('(') {
            let inner = self.sum()?;
            return if self.take(')') { Ok(inner) } else { Err(self.error("a ) is missing")) };
        }
        let word: String = self.rest().chars().take_while(char::is_ascii_alphanumeric).collect();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            let bytes: Bytes =
                word.parse().map_err(|_| self.error("this is no whole number with a unit such as Gi"))?;
            self.position += word.len();
            return Ok(Node::Number(i128::from(bytes.get())));
        }
        match word.as_str() {
            "quota" => {
                self.position += word.len();
                Ok(Node::Quota)
            }
            "max" | "min" => {
                self.position += word.len();
                let nodes = self.arguments()?;
                Ok(if word == "max" { Node::Maximum(nodes) } else { Node::Minimum(nodes) })
            }
            _ => Err(self.error("quota, an amount, max( or min( was expected")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Node>, ExpressionError> {
        if !self.take('(') {
            return Err(self.error("a ( is missing"));
        }
        let mut nodes = vec![self.sum()?];
        while self.take(',') {
            nodes.push(self.sum()?);
        }
        if self.take(')') { Ok(nodes) } else { Err(self.error("a , or a ) is missing")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(expression: &str, quota: &str) -> Result<String, ExpressionError> {
        let quota = quota.parse().unwrap();
        expression.parse::<SizeExpression>()?.evaluate(quota).map(|bytes| bytes.to_string())
    }

    #[test]
    fn sizes_follow_the_quota() {
        for (expression, quota, expected) in [
            ("quota", "5Gi", "5Gi"),
            ("max(4Gi, quota/10)", "5Gi", "4Gi"),
            ("max(4Gi, quota / 10)", "100Gi", "10Gi"),
            ("min(1Gi, quota, 2Gi)", "512Mi", "512Mi"),
            ("quota * 2 + 1Gi", "1Gi", "3Gi"),
            ("(quota - 1Gi) * 2", "3Gi", "4Gi"),
            ("quota - 1Gi - 1Gi", "3Gi", "1Gi"),
            ("10Gi / 2 / 5", "1Gi", "1Gi"),
        ] {
            assert_eq!(size(expression, quota).unwrap(), expected, "{expression} of {quota}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused_and_the_message_says_where() {
        for text in [
            "",
            "(",
            "quota quota",
            "max",
            "max()",
            "max(1Gi",
            "1.5Gi",
            "-1Gi",
            "quota +",
            "1gi",
            "foo",
            "quota;",
            "ⅷ",
            "quota\n+1Gi",
        ] {
            let error = text.parse::<SizeExpression>().unwrap_err();
            assert!(error.to_string().contains("character"), "{error}");
        }
        assert!("(".repeat(121).parse::<SizeExpression>().is_err());
    }

    #[test]
    fn a_size_that_no_volume_can_have_is_refused() {
        for expression in [
            "quota - 1Gi",
            "quota - 2Gi",
            "quota / 0",
            "quota * 99999999Ti * 99999999Ti * 99999999Ti",
            "9007199Ti",
            "1Gi / (quota - quota)",
        ] {
            assert!(size(expression, "1Gi").is_err(), "{expression}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+*/(), 0-9a-zA-Zé]{0,130}", quota in any::<u64>()) {
            if let Ok(expression) = text.parse::<SizeExpression>() {
                let _ = expression.evaluate(Bytes::new(quota));
            }
        }
    }
}
