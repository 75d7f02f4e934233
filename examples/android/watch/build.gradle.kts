plugins {
    id("com.android.application")
    kotlin("android")
}

android {
    namespace = "dev.onwrist.example.watch"
    compileSdk = 36

    defaultConfig {
        applicationId = "dev.onwrist.example.watch"
        minSdk = 30
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
    }
    // What `onwrist embed` wrote; the host is the same for both bundles, and taken once.
    sourceSets["main"].kotlin.srcDirs(
        "onwrist/wrist-himae/host",
        "onwrist/wrist-himae/bundle",
        "onwrist/day-lsm2/bundle",
    )
    sourceSets["main"].assets.srcDirs("onwrist/wrist-himae/assets", "onwrist/day-lsm2/assets")
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin {
    jvmToolchain(17)
}

dependencies {
    implementation(project(":shared"))
    implementation("com.google.ai.edge.litert:litert:2.1.5")
    implementation("androidx.activity:activity-ktx:1.10.1")
    implementation("androidx.health:health-services-client:1.1.0")
    implementation("com.google.guava:guava:33.4.8-android")
    // From developer.samsung.com/health/sensor, downloaded by you: see README.md.
    implementation(files("libs/samsung-health-sensor-api.aar"))
}
