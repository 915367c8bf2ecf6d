//! The learning management system: videos, courses with chapters and items, and what users completed of them.

use hull::prelude::*;
use rand::RngExt;
use schema::extrovertly::User;
use schema::lms::{
    Chapter, ContentItem, ContentItemType, Course, CourseStatus, Progress, Video, VideoStatus,
};

use super::words::*;
use super::{DAY, Sampled, TableRows, World, number, pick, table, title, word};

/// Chapters of a course, and items of a chapter.
const CHAPTERS: u64 = 4;
const ITEMS: u64 = 3;
/// Items of the course that each user has begun or done: those of its first chapter.
const SEEN: u64 = ITEMS;

pub(super) const TABLES: [TableRows; 5] =
    [table::<Video>(), table::<Course>(), table::<Chapter>(), table::<ContentItem>(), table::<Progress>()];

impl Sampled for Video {
    const DAYS: (f64, f64) = (30.0, 40.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.1, 12)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<Video> {
        let rng = &mut world.rng::<Video>(n);
        let name = title(TOPICS, n);
        let youtube = format!("s{n:010x}");
        let status = match rng.random_range(0..10) {
            0 => VideoStatus::Pending,
            1 => VideoStatus::Failed,
            _ => VideoStatus::Completed,
        };
        let done = status == VideoStatus::Completed;
        let quiz = |rng: &mut _| Value::object([("questions", vec![question(rng, &name)])]);
        Some(Video {
            url: format!("https://youtu.be/{youtube}"),
            thumbnail_url: Some(format!("https://i.ytimg.com/vi/{youtube}/hqdefault.jpg")),
            youtube_video_id: youtube,
            channel_title: Some(word(rng, LAST_NAMES)),
            duration_in_seconds: Some(number(rng, 120..3_600)),
            published_at: Some(at - DAY * number(rng, 30..1_000)),
            transcript: done.then(|| format!("Today: {}. {}", name.to_lowercase(), pick(rng, TIPS))),
            notes: if done { Value::object([("summary", word(rng, TIPS))]) } else { Value::Null },
            quiz: if done { quiz(rng) } else { Value::Null },
            title: name,
            created_at: at,
            updated_at: done.then_some(at + 60_000.0),
            status: Some(status),
            error_message: (status == VideoStatus::Failed).then(|| "no transcript".to_owned()),
        })
    }
}

fn question(rng: &mut rand::rngs::StdRng, topic: &str) -> Value {
    let choices: Vec<Value> = ["Often", "Rarely", "Never"].into_iter().map(Value::from).collect();
    Value::object([
        ("question", Value::from(format!("How often is {} needed?", topic.to_lowercase()))),
        ("choices", Value::Array(choices)),
        ("answer", Value::from(number(rng, 0..3))),
    ])
}

impl Sampled for Course {
    const DAYS: (f64, f64) = (30.0, 35.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.025, 6)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<Course> {
        let rng = &mut world.rng::<Course>(n);
        let ready = n == 0 || rng.random_ratio(4, 5);
        Some(Course {
            name: title(SKILLS, n),
            description: Some(format!("{} in four chapters.", title(SKILLS, n))),
            created_at: at,
            updated_at: at,
            thumbnail_url: None,
            status: Some(if ready { CourseStatus::Ready } else { CourseStatus::Draft }),
            created_by: Some(world.id::<User>(n % world.users).to_string()),
            is_published: Some(ready),
        })
    }
}

impl Sampled for Chapter {
    const DAYS: (f64, f64) = (40.0, 45.0);

    fn count(world: &World) -> u64 {
        CHAPTERS * Course::count(world)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<Chapter> {
        Some(Chapter {
            course_id: world.id(n / CHAPTERS),
            video_id: Some(world.id(n % Video::count(world))),
            name: ["Introduction", "First steps", "Practice", "Further on"][(n % CHAPTERS) as usize]
                .to_owned(),
            description: None,
            order: (n % CHAPTERS + 1) as f64,
            created_at: at,
        })
    }
}

impl Sampled for ContentItem {
    const DAYS: (f64, f64) = (45.0, 55.0);

    fn count(world: &World) -> u64 {
        ITEMS * Chapter::count(world)
    }

    /// A video, a text, and one of the other types, each with the content that its type stands for.
    fn row(world: &World, n: u64, at: f64) -> Option<ContentItem> {
        let rng = &mut world.rng::<ContentItem>(n);
        let chapter = n / ITEMS;
        let topic = title(TOPICS, chapter);
        let r#type = match (n % ITEMS, chapter % 3) {
            (0, _) => ContentItemType::Video,
            (1, _) => ContentItemType::Text,
            (_, 0) => ContentItemType::Quiz,
            (_, 1) => ContentItemType::Assignment,
            _ => ContentItemType::Resource,
        };
        let of = |wanted| r#type == wanted;
        Some(ContentItem {
            chapter_id: world.id(chapter),
            order: (n % ITEMS + 1) as f64,
            video_id: of(ContentItemType::Video).then(|| world.id(chapter % Video::count(world))),
            text_content: of(ContentItemType::Text)
                .then(|| format!("<h1>{topic}</h1><p>{}</p>", pick(rng, TIPS))),
            quiz_data: of(ContentItemType::Quiz)
                .then(|| Value::object([("questions", vec![question(rng, &topic)])])),
            assignment_data: of(ContentItemType::Assignment)
                .then(|| Value::object([("task", word(rng, GOALS))])),
            resource_url: of(ContentItemType::Resource)
                .then(|| format!("https://example.com/resources/{chapter}")),
            resource_title: of(ContentItemType::Resource).then_some(topic),
            r#type,
            created_at: at,
        })
    }
}

impl Sampled for Progress {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        SEEN * world.users
    }

    /// A user has done the first items of a course, and opened the rest of its first chapter.
    fn row(world: &World, n: u64, at: f64) -> Option<Progress> {
        let (user, item) = world.user_and_round(n);
        let course = user % Course::count(world);
        let completed = item <= world.rng::<Progress>(user).random_range(0..SEEN);
        Some(Progress {
            user_id: world.id::<User>(user).to_string(),
            course_id: world.id(course),
            chapter_id: Some(world.id(course * CHAPTERS)),
            content_item_id: Some(world.id(course * CHAPTERS * ITEMS + item)),
            completed,
            completed_at: completed.then_some(at),
            progress_percentage: Some(if completed { 100.0 } else { 0.0 }),
        })
    }
}
