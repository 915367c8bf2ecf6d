//! Filter expressions as data, with Convex's rules.
//!
//! Comparisons use the total order of all values, where an absent field is less than everything. Arithmetic takes two
//! integers or two floats. `and`, `or` and `not` take booleans; the first two stop as soon as the answer is known.

use hull_value::{Encode, FieldPath, ObjectRef, Packed, ValueRef};
use thiserror::Error as ThisError;

/// A filter expression over the fields of a document.
///
/// ```text
/// field("mood").eq(literal("happy")).and(field("wordCount").gt(literal(100.0)))
/// ```
#[derive(Clone, Debug)]
pub struct Expression(Node);

#[derive(Clone, Debug)]
enum Node {
    Field(Result<FieldPath, String>),
    Literal(Result<Option<Packed>, String>),
    Compare(Comparison, Box<(Expression, Expression)>),
    Arithmetic(Operator, Box<(Expression, Expression)>),
    Negate(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
}

/// Why an expression has no value for a document.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum EvalError {
    /// A path that no field can have.
    #[error("{0:?} is not a path of fields")]
    InvalidPath(String),
    /// A constant that is no value.
    #[error("{0}")]
    InvalidLiteral(String),
    /// Something else where a boolean belongs.
    #[error("Cannot use {0} as Boolean")]
    NotBoolean(String),
    /// Arithmetic on values that are not two integers or two floats.
    #[error("Cannot do arithmetic on {0} and {1}: both must be Int64 or both Float64")]
    NotNumbers(String, String),
    /// An integer result that is no `int64`, or a division by zero.
    #[error("Integer arithmetic overflows or divides by zero")]
    Overflow,
}

impl EvalError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        "EvalError"
    }
}

/// The field at a dotted path; absent if it isn't there.
pub fn field(path: &str) -> Expression {
    Expression(Node::Field(path.parse().map_err(|_| path.to_owned())))
}

/// A constant.
pub fn literal(value: impl Encode) -> Expression {
    Expression(Node::Literal(Packed::encode(&value).map(Some).map_err(|error| error.to_string())))
}

/// Absence, which an absent field equals.
pub fn undefined() -> Expression {
    Expression(Node::Literal(Ok(None)))
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident => $node:ident $kind:ident;)*) => {
        $($(#[$doc])*
        #[must_use]
        #[allow(clippy::should_implement_trait)]
        pub fn $name(self, other: Expression) -> Expression {
            Expression(Node::$node(binary!(@kind $node $kind), Box::new((self, other))))
        })*
    };
    (@kind Compare $kind:ident) => { Comparison::$kind };
    (@kind Arithmetic $kind:ident) => { Operator::$kind };
}

impl Expression {
    binary! {
        /// Both are the same value.
        eq => Compare Eq;
        /// They are different values.
        neq => Compare Neq;
        /// This one is less.
        lt => Compare Lt;
        /// This one is less, or they are the same.
        lte => Compare Lte;
        /// This one is greater.
        gt => Compare Gt;
        /// This one is greater, or they are the same.
        gte => Compare Gte;
        /// The sum.
        add => Arithmetic Add;
        /// The difference.
        sub => Arithmetic Sub;
        /// The product.
        mul => Arithmetic Mul;
        /// The quotient.
        div => Arithmetic Div;
        /// The remainder.
        rem => Arithmetic Mod;
    }

    /// The negative.
    #[must_use]
    #[allow(clippy::should_implement_trait)]
    pub fn neg(self) -> Expression {
        Expression(Node::Negate(Box::new(self)))
    }

    /// The opposite.
    #[must_use]
    #[allow(clippy::should_implement_trait)]
    pub fn not(self) -> Expression {
        Expression(Node::Not(Box::new(self)))
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Expression) -> Expression {
        Expression::all([self, other])
    }

    /// One of both holds.
    #[must_use]
    pub fn or(self, other: Expression) -> Expression {
        Expression::any([self, other])
    }

    /// All hold.
    pub fn all(of: impl IntoIterator<Item = Expression>) -> Expression {
        Expression(Node::And(of.into_iter().collect()))
    }

    /// One holds.
    pub fn any(of: impl IntoIterator<Item = Expression>) -> Expression {
        Expression(Node::Or(of.into_iter().collect()))
    }

    /// Whether the document passes.
    pub fn test(&self, document: ObjectRef<'_>) -> Result<bool, EvalError> {
        boolean(self.eval(document)?)
    }

    fn eval<'a>(&'a self, document: ObjectRef<'a>) -> Result<Option<ValueRef<'a>>, EvalError> {
        Ok(Some(match &self.0 {
            Node::Field(Ok(path)) => return Ok(document.get_path(path)),
            Node::Field(Err(path)) => return Err(EvalError::InvalidPath(path.clone())),
            Node::Literal(Ok(value)) => return Ok(value.as_ref().map(Packed::as_ref)),
            Node::Literal(Err(error)) => return Err(EvalError::InvalidLiteral(error.clone())),
            Node::Compare(comparison, both) => {
                let order = both.0.eval(document)?.cmp(&both.1.eval(document)?);
                ValueRef::Boolean(match comparison {
                    Comparison::Eq => order.is_eq(),
                    Comparison::Neq => order.is_ne(),
                    Comparison::Lt => order.is_lt(),
                    Comparison::Lte => order.is_le(),
                    Comparison::Gt => order.is_gt(),
                    Comparison::Gte => order.is_ge(),
                })
            }
            Node::Arithmetic(operator, both) => {
                arithmetic(*operator, both.0.eval(document)?, both.1.eval(document)?)?
            }
            Node::Negate(of) => match of.eval(document)? {
                Some(ValueRef::Int64(a)) => ValueRef::Int64(a.checked_neg().ok_or(EvalError::Overflow)?),
                Some(ValueRef::Float64(a)) => ValueRef::Float64(-a),
                other => return Err(EvalError::NotNumbers(describe(other), describe(other))),
            },
            Node::And(of) => {
                for part in of {
                    if !boolean(part.eval(document)?)? {
                        return Ok(Some(ValueRef::Boolean(false)));
                    }
                }
                ValueRef::Boolean(true)
            }
            Node::Or(of) => {
                for part in of {
                    if boolean(part.eval(document)?)? {
                        return Ok(Some(ValueRef::Boolean(true)));
                    }
                }
                ValueRef::Boolean(false)
            }
            Node::Not(of) => ValueRef::Boolean(!boolean(of.eval(document)?)?),
        }))
    }
}

fn arithmetic<'a>(
    operator: Operator,
    a: Option<ValueRef<'a>>,
    b: Option<ValueRef<'a>>,
) -> Result<ValueRef<'a>, EvalError> {
    match (a, b) {
        (Some(ValueRef::Int64(a)), Some(ValueRef::Int64(b))) => match operator {
            Operator::Add => a.checked_add(b),
            Operator::Sub => a.checked_sub(b),
            Operator::Mul => a.checked_mul(b),
            Operator::Div => a.checked_div(b),
            Operator::Mod => a.checked_rem(b),
        }
        .map(ValueRef::Int64)
        .ok_or(EvalError::Overflow),
        (Some(ValueRef::Float64(a)), Some(ValueRef::Float64(b))) => Ok(ValueRef::Float64(match operator {
            Operator::Add => a + b,
            Operator::Sub => a - b,
            Operator::Mul => a * b,
            Operator::Div => a / b,
            Operator::Mod => a % b,
        })),
        _ => Err(EvalError::NotNumbers(describe(a), describe(b))),
    }
}

fn boolean(value: Option<ValueRef<'_>>) -> Result<bool, EvalError> {
    match value {
        Some(ValueRef::Boolean(value)) => Ok(value),
        other => Err(EvalError::NotBoolean(describe(other))),
    }
}

fn describe(value: Option<ValueRef<'_>>) -> String {
    match value {
        None => "undefined".to_owned(),
        Some(value) => {
            Packed::encode(&value).map_or_else(|error| error.to_string(), |value| value.to_clean_json())
        }
    }
}
