*** Settings ***
Documentation       How a unit from its box comes into service. By itself: ``robot suites/robot/install.robot``.
Resource            ../../fixtures/robot/terminal.resource


*** Test Cases ***
A unit is installed by hand
    [Tags]    INS-02
    A unit from its box is on the bench
    The engineer sets everything
    The first batch is sold and settled

A unit is installed with an activation code
    [Tags]    INS-02
    A unit from its box is on the bench
    The engineer sets the way
    The engineer activates it by keypad
    The first batch is sold and settled

Out of the box nothing is sold
    [Tags]    INS-01
    A unit from its box is on the bench
    The shop sells for 10.00 yuan by magnetic card
    It is refused without a code
    The engineer sets everything
    The first batch is sold and settled
