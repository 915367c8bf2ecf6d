//! Skills: levels with milestones, progress on them, and the practice that progress counts.

use rand::RngExt;
use schema::skill_deconstruction::{
    ActivityType, DeconstructionData, DoThisNow, Level, Milestone, MilestoneProgress, MilestoneStatus,
    PracticeActivity, Roadmap, SkillDeconstruction, SkillType,
};

use super::words::*;
use super::{DAY, Sampled, TableRows, World, number, pick, table, title, word};

/// Levels of a skill, and milestones of a level.
const LEVELS: u64 = 2;
const MILESTONES: u64 = 3;
/// Pieces of practice that a milestone has at most.
const PRACTICES: u64 = 3;

pub(super) const TABLES: [TableRows; 4] = [
    table::<SkillDeconstruction>(),
    table::<MilestoneProgress>(),
    table::<PracticeActivity>(),
    table::<Roadmap>(),
];

impl Sampled for SkillDeconstruction {
    const DAYS: (f64, f64) = (60.0, 100.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.1, SKILLS.len() as u64)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<SkillDeconstruction> {
        let rng = &mut world.rng::<SkillDeconstruction>(n);
        let skill = title(SKILLS, n);
        let level = |number: u64| Level {
            level: number as f64,
            title: format!("Level {number}: {}", if number == 1 { "Foundation" } else { "Practice" }),
            description: format!("What {skill} needs first."),
            milestones: (1..=MILESTONES).map(|m| milestone((number - 1) * MILESTONES + m, &skill)).collect(),
        };
        Some(SkillDeconstruction {
            user_query: format!("learn {}", skill.to_lowercase()),
            skill_type: if n.is_multiple_of(2) { SkillType::Abstract } else { SkillType::Physical },
            deconstruction_data: DeconstructionData {
                levels: (1..=LEVELS).map(level).collect(),
                total_estimated_time: (30 * LEVELS * MILESTONES) as f64,
                difficulty: word(rng, &["beginner", "intermediate", "advanced"]),
            },
            skill_name: skill,
            created_at: Some(at),
            updated_at: Some(at),
        })
    }
}

fn milestone(number: u64, skill: &str) -> Milestone {
    Milestone {
        id: format!("milestone_{number}"),
        title: format!("{skill}, step {number}"),
        description: "Small enough for one evening.".to_owned(),
        do_this_now: DoThisNow {
            prompt: format!("Do step {number} of {} once, slowly.", skill.to_lowercase()),
            reps: 3.0,
            sets: 1.0,
            success_criteria: "It works twice in a row.".to_owned(),
        },
        estimated_time: 30.0,
        icon: ICONS[number as usize % ICONS.len()].to_owned(),
    }
}

/// How a milestone goes: its status, and whether each piece of practice was completed.
fn course(world: &World, n: u64) -> (MilestoneStatus, Vec<bool>) {
    let rng = &mut world.rng::<MilestoneProgress>(n);
    let status = pick(
        rng,
        &[
            MilestoneStatus::NotStarted,
            MilestoneStatus::InProgress,
            MilestoneStatus::Completed,
            MilestoneStatus::Completed,
            MilestoneStatus::Failed,
        ],
    );
    let attempts = match status {
        MilestoneStatus::NotStarted => 0,
        _ => rng.random_range(1..=PRACTICES),
    };
    let mut practices: Vec<bool> = (0..attempts).map(|_| rng.random_ratio(1, 2)).collect();
    if let (MilestoneStatus::Completed, Some(last)) = (status, practices.last_mut()) {
        *last = true;
    }
    (status, practices)
}

impl Sampled for MilestoneProgress {
    const DAYS: (f64, f64) = (100.0, 290.0);

    fn count(world: &World) -> u64 {
        LEVELS * MILESTONES * SkillDeconstruction::count(world)
    }

    /// It counts the practice that there is.
    fn row(world: &World, n: u64, at: f64) -> Option<MilestoneProgress> {
        let (status, practices) = course(world, n);
        let end = at + 2.0 * DAY;
        Some(MilestoneProgress {
            skill_deconstruction_id: world.id(n / (LEVELS * MILESTONES)),
            milestone_id: format!("milestone_{}", n % (LEVELS * MILESTONES) + 1),
            status,
            started_at: (status != MilestoneStatus::NotStarted).then_some(at),
            completed_at: (status == MilestoneStatus::Completed).then_some(end),
            practice_attempts: Some(practices.len() as f64),
            practice_completions: Some(practices.iter().filter(|completed| **completed).count() as f64),
            notes: (status == MilestoneStatus::Failed).then(|| "Too much at once.".to_owned()),
            created_at: Some(at),
            updated_at: Some(if practices.is_empty() { at } else { end }),
        })
    }
}

impl Sampled for PracticeActivity {
    const DAYS: (f64, f64) = MilestoneProgress::DAYS;

    fn count(world: &World) -> u64 {
        PRACTICES * MilestoneProgress::count(world)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeActivity> {
        let (_, practices) = course(world, n / PRACTICES);
        let completed = *practices.get((n % PRACTICES) as usize)?;
        let rng = &mut world.rng::<PracticeActivity>(n);
        let (activity_type, name) = pick(
            rng,
            &[
                (ActivityType::CodeChallenge, "Solve it without looking"),
                (ActivityType::PhysicalPractice, "Repeat it slowly"),
                (ActivityType::Reading, "Read one chapter"),
                (ActivityType::VideoWatch, "Watch somebody do it"),
            ],
        );
        Some(PracticeActivity {
            milestone_progress_id: world.id(n / PRACTICES),
            activity_type,
            title: name.to_owned(),
            description: None,
            completed: Some(completed),
            completion_time: completed.then(|| number(rng, 5..60)),
            difficulty_rating: completed.then(|| number(rng, 1..6)),
            user_notes: (!completed).then(|| "Not yet.".to_owned()),
            created_at: Some(at),
            completed_at: completed.then_some(at + DAY),
        })
    }
}

impl Sampled for Roadmap {
    const DAYS: (f64, f64) = (100.0, 120.0);

    fn count(world: &World) -> u64 {
        SkillDeconstruction::count(world) * 3 / 2
    }

    /// One for each skill, and some that were not deconstructed yet.
    fn row(world: &World, n: u64, _: f64) -> Option<Roadmap> {
        let skill = (n < SkillDeconstruction::count(world)).then(|| world.id(n));
        Some(Roadmap { is_deconstructed: Some(skill.is_some()), skill_deconstruction_id: skill })
    }
}
