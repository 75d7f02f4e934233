// swift-tools-version: 5.9
// Two embedded bundles that share one host: the C host and its Swift API are taken from the
// first, constants and files from each. README.md says how to make the two folders.

import PackageDescription

let package = Package(
    name: "Models",
    platforms: [.iOS(.v16)],
    products: [
        .library(name: "Models", targets: ["Onwrist", "WristHimae", "DayLsm2"])
    ],
    targets: [
        .target(name: "COnwrist", path: "wrist-himae/Sources/COnwrist"),
        .target(
            name: "Onwrist", dependencies: ["COnwrist"], path: "wrist-himae/Sources/Onwrist"),
        .target(
            name: "CWristHimae", dependencies: ["COnwrist"],
            path: "wrist-himae/Sources/CWristHimae"),
        .target(
            name: "WristHimae", dependencies: ["Onwrist", "CWristHimae"],
            path: "wrist-himae/Sources/WristHimae", resources: [.copy("wrist-himae")]),
        .target(
            name: "CDayLsm2", dependencies: ["COnwrist"],
            path: "day-lsm2/Sources/CDayLsm2"),
        .target(
            name: "DayLsm2", dependencies: ["Onwrist", "CDayLsm2"],
            path: "day-lsm2/Sources/DayLsm2", resources: [.copy("day-lsm2")]),
    ]
)
