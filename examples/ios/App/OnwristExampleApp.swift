// The app: one screen, a day from Health and a sensor over Bluetooth.

import SwiftUI

@main
struct OnwristExampleApp: App {
    @StateObject private var day = DayResults()
    @StateObject private var wrist = WristResults()
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup {
            ContentView(day: day, wrist: wrist)
        }
        .onChange(of: phase) { phase in
            if phase == .active {
                Task { await day.refresh() }
            }
        }
    }
}
