// When something happened: on a clock that nothing sets and sleep does not stop, and what the
// calendar says of it.
//
// A stream needs one clock for all its sensors. `ProcessInfo.systemUptime`, `CACurrentMediaTime`
// and `mach_absolute_time` stand still while the phone sleeps, so a night would vanish from
// between two samples. `Date()` jumps when the network or the user sets it. Continuous time
// does neither.

import Foundation

/// Seconds since the phone started, sleep included.
enum BootClock {
    static var now: Double {
        var base = mach_timebase_info_data_t()
        mach_timebase_info(&base)
        return Double(mach_continuous_time()) * Double(base.numer) / Double(base.denom) / 1e9
    }
}

/// The boot clock pinned to the calendar once: a later correction of the wall clock moves no
/// sample against another. When the wall clock is set, a new one is made, and what was pinned
/// to the old one is computed anew.
struct PinnedClock: Sendable {
    private let offset: Double

    init() {
        offset = Date().timeIntervalSince1970 - BootClock.now
    }

    /// Seconds on the Unix epoch of a moment on the boot clock.
    func unix(boot: Double) -> Double {
        boot + offset
    }

    var now: Double { unix(boot: BootClock.now) }

    /// The local midnight before a moment, on the Unix epoch. Where the clocks changed within
    /// the last day, minutes before the change lie one hour off on it.
    func midnight(before unix: Double) -> Double {
        let moment = Date(timeIntervalSince1970: unix)
        return Calendar.current.startOfDay(for: moment).timeIntervalSince1970
    }
}

/// A sensor's own clock, in seconds, put on the boot clock by the first frame that came.
///
/// The difference is taken once: the time that a frame spent on the air varies from frame to
/// frame, and must not move samples. A sensor that was restarted, or whose clock was set,
/// is told by a difference that moved by more than `jump`.
struct SensorClock {
    private var offset: Double?
    private let jump = 10.0

    /// Where a sensor's stamp lies on the boot clock, and whether that is another clock than
    /// before: then the stream must be reset.
    mutating func boot(sensor: Double, arrived: Double) -> (time: Double, another: Bool) {
        let measured = arrived - sensor
        if let offset, abs(measured - offset) <= jump {
            return (sensor + offset, false)
        }
        let another = offset != nil
        offset = measured
        return (sensor + measured, another)
    }
}
