plugins {
    id("com.android.application")
    kotlin("android")
}

android {
    namespace = "dev.onwrist.example.phone"
    compileSdk = 36

    defaultConfig {
        applicationId = "dev.onwrist.example.phone"
        minSdk = 31
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
    }
    // What `onwrist embed` wrote.
    sourceSets["main"].kotlin.srcDirs("onwrist/day-lsm2/host", "onwrist/day-lsm2/bundle")
    sourceSets["main"].assets.srcDirs("onwrist/day-lsm2/assets")
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
    implementation("androidx.lifecycle:lifecycle-runtime-ktx:2.9.1")
    implementation("androidx.health.connect:connect-client:1.1.0")
}
