// Results in, a screen that can be seen and heard out.

import Onwrist
import SwiftUI

struct ContentView: View {
    @ObservedObject var day: DayResults
    @ObservedObject var wrist: WristResults

    var body: some View {
        NavigationStack {
            List {
                Section("Sensor, last 10 seconds") {
                    Results(prediction: wrist.prediction)
                    if let beats = wrist.beats {
                        LabeledContent("Heart rate that the sensor says") {
                            Text("\(Int(beats)) bpm")
                        }
                    }
                    ForEach(wrist.staleness.keys.sorted(), id: \.self) { name in
                        LabeledContent("\(words(name)), last sample") {
                            Text("\(wrist.staleness[name] ?? 0, specifier: "%.1f") s behind")
                        }
                    }
                    Message(text: wrist.message)
                    Button("Look for a sensor") { wrist.start(day) }
                }
                Section("Last day, from Health") {
                    Results(prediction: day.prediction)
                    Message(text: day.message)
                    Button("Read Health") { Task { await day.start() } }
                }
                Section("Proof on this phone") {
                    Proof(name: "wrist-himae", proof: wrist.proof)
                    Proof(name: "day-lsm2", proof: day.proof)
                }
                Section {
                    Text("Not a medical device. Nothing here diagnoses or treats a condition.")
                        .font(.footnote)
                }
            }
            .navigationTitle("onwrist")
        }
    }
}

/// Answers with how sure they are, abstentions with their reason, and what was observed.
private struct Results: View {
    let prediction: Prediction?

    var body: some View {
        if let prediction {
            ForEach(prediction.tasks, id: \.name) { task in
                VStack(alignment: .leading) {
                    Text(words(task.name)).font(.headline)
                    Text(answer(task))
                    if let reason = task.reason {
                        Text(reason).font(.subheadline).foregroundStyle(.secondary)
                    }
                }
                .accessibilityElement(children: .combine)
            }
            ForEach(prediction.coverage.keys.sorted(), id: \.self) { name in
                let share = prediction.coverage[name] ?? 0
                VStack(alignment: .leading) {
                    Text("\(words(name)): \(Int(100 * share)) % observed")
                    ProgressView(value: share).accessibilityHidden(true)
                }
                .accessibilityElement(children: .combine)
            }
        } else {
            Text("No window yet.")
        }
    }

    private func answer(_ task: TaskResult) -> String {
        guard !task.abstained, let confidence = task.confidence else { return "No answer" }
        let value = task.value.map { "\(Int($0.rounded())) \(task.unit ?? "")" }
        return "\(value ?? task.label ?? ""), \(Int(100 * confidence)) % sure"
    }
}

private struct Proof: View {
    let name: String
    let proof: Verification?

    var body: some View {
        LabeledContent(name) {
            if let proof {
                Text(proof.passed ? "\(proof.windows) golden windows passed" : "Failed")
            } else {
                Text("Not run yet")
            }
        }
    }
}

private struct Message: View {
    let text: String

    var body: some View {
        if !text.isEmpty {
            Text(text).font(.subheadline)
        }
    }
}

private func words(_ name: String) -> String {
    name.replacingOccurrences(of: "_", with: " ")
}
